/** The TUN that the whole pool is routed to while somebody sleeps. It outlasts the process that reads it. */
import { differ, type WakerDevice, wantedWakerSettings } from "./actual.ts";
import { formatPrefix } from "./addresses.ts";
import { deviceGroup, gatewayAddress, type Names, routeProtocol, wakerRouteMetric } from "./names.ts";
import type { Plan } from "./plan.ts";

export function planWaker(names: Names, device: WakerDevice | undefined): Partial<Plan> {
  const { waker } = names;
  const commands = [
    // In the group, so that other daemons' guests are kept from it.
    `link set dev ${waker} group ${deviceGroup} addrgenmode none up`,
    `address replace ${gatewayAddress}/32 dev ${waker}`,
    `route replace ${formatPrefix(names.pool)} dev ${waker} proto ${routeProtocol} src ${gatewayAddress} metric ${wakerRouteMetric}`,
  ];
  if (device?.usable !== true) {
    return {
      remove: device === undefined ? [] : [waker],
      ip: [`tuntap add dev ${waker} mode tun vnet_hdr`, ...commands],
      tune: [waker],
      differences: [
        `the waker's device ${waker} was ${device === undefined ? "missing" : "of the wrong kind"}`,
      ],
    };
  }
  const wrong = !device.up || !device.hasGateway || !device.hasRoute;
  const wrongSettings = differ(device.settings, wantedWakerSettings);
  return {
    ip: wrong ? commands : [],
    tune: wrongSettings ? [waker] : [],
    differences: [
      ...(wrong ? [`the waker's device ${waker} was down, or without its address or route`] : []),
      ...(wrongSettings ? [`settings of ${waker} were changed`] : []),
    ],
  };
}
