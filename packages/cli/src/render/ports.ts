import type { PortMapping } from "@uni/contract/resources/port-mapping";

/** As Docker shows them: 0.0.0.0:8080->80/tcp. */
export function portsText(ports: readonly PortMapping[]): string {
  return ports
    .map(({ host_address = "0.0.0.0", host_port, guest_port, protocol = "tcp" }) => {
      return `${host_address}:${host_port}->${guest_port}/${protocol}`;
    })
    .join(", ");
}
