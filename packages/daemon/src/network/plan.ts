/**
 * Compares the host with what it should be and says what to do; touches nothing. Applied to a host that is right, the
 * plan is empty. What is right in itself is never made anew: a running VMM holds its TAP open.
 */

import type { AccountBlocks } from "./account-blocks.ts";
import { type Actual, type Device, differ, wantedSettings } from "./actual.ts";
import { formatPrefix } from "./addresses.ts";
import {
  addElement,
  deleteElement,
  type Element,
  elementsOf,
  elementText,
  guestAddress,
  siblingElements,
  slot,
} from "./elements.ts";
import {
  deviceGroup,
  gatewayAddress,
  gatewayMac,
  type Names,
  poolRouteMetric,
  routeProtocol,
  tapFor,
} from "./names.ts";
import { frameOf } from "./nft-listing.ts";
import type { Attachment } from "./port.ts";
import { renderTable, type Table } from "./ruleset.ts";
import { planWaker } from "./waker-device.ts";

export interface Wanted {
  readonly attachments: readonly Attachment[];
  readonly blocks: AccountBlocks;
  readonly tables: readonly Table[];
  /** Addresses to look at; undefined: all of this daemon's, and what is not wanted goes. */
  readonly only?: ReadonlySet<string> | undefined;
  /** Somebody sleeps, or has slept. One that is there stays until all is removed. */
  readonly waker: boolean;
}

export interface Plan {
  /** TAPs to delete, before all else. */
  readonly remove: readonly string[];
  readonly ip: readonly string[];
  readonly nft: readonly string[];
  /** Devices whose settings are to be written. */
  readonly tune: readonly string[];
  /** Addresses whose tracked connections are to be forgotten. */
  readonly forget: readonly string[];
  /** What was wrong, for the log. */
  readonly differences: readonly string[];
}

export function planChanges(names: Names, wanted: Wanted, actual: Actual): Plan {
  const attachments = wanted.attachments.filter(({ address }) => inScope(wanted, address));
  const onlyTaps = wanted.only && new Set([...wanted.only].map((address) => tapFor(names, address)));
  const parts = [
    planPoolRoute(names, actual),
    wanted.waker ? planWaker(names, actual.waker) : {},
    ...[...actual.devices.values()]
      .filter(({ name }) => onlyTaps?.has(name) ?? true)
      .filter(({ name }) => !attachments.some(({ tap, asleep }) => tap === name && asleep !== "disk"))
      .map(strayDevice),
    ...attachments
      .filter(({ asleep }) => asleep !== "disk")
      .map((attachment) => planDevice(attachment, actual)),
    planTables(names, wanted, actual),
  ];
  return {
    remove: parts.flatMap(({ remove }) => remove ?? []),
    ip: parts.flatMap(({ ip }) => ip ?? []),
    nft: parts.flatMap(({ nft }) => nft ?? []),
    tune: parts.flatMap(({ tune }) => tune ?? []),
    forget: [...new Set(parts.flatMap(({ forget }) => forget ?? []))],
    differences: parts.flatMap(({ differences }) => differences ?? []),
  };
}

export const poolRoute = (names: Names): string =>
  `unreachable ${formatPrefix(names.pool)} proto ${routeProtocol} metric ${poolRouteMetric}`;

/** Everything on the host's side of one guest, from nothing. */
export function deviceCommands(attachment: Attachment): readonly string[] {
  const { tap, uid, asleep } = attachment;
  return [
    `tuntap add dev ${tap} mode tap user ${uid} vnet_hdr`,
    // No link-local IPv6 address, even before the settings are written.
    linkCommand(tap),
    addressCommand(tap),
    ...(asleep === undefined ? [routeCommand(attachment)] : []),
    neighbourCommand(attachment),
  ];
}

const linkCommand = (tap: string) =>
  `link set dev ${tap} address ${gatewayMac} group ${deviceGroup} addrgenmode none up`;
const addressCommand = (tap: string) => `address add ${gatewayAddress}/32 dev ${tap}`;
export const routeCommand = ({ address, tap }: Attachment) =>
  `route replace ${address}/32 dev ${tap} proto ${routeProtocol} src ${gatewayAddress}`;
/** Permanent: a paused guest answers no ARP, and a waiting packet must not be lost for that. */
const neighbourCommand = ({ address, mac, tap }: Attachment) =>
  `neighbour replace ${address} lladdr ${mac} dev ${tap} nud permanent`;

/** What puts a guest to sleep: the waker's route to the pool is all that is left. */
export const noRouteCommand = ({ address, tap }: Attachment) => `route delete ${address}/32 dev ${tap}`;

type Part = Partial<Plan>;

function planPoolRoute(names: Names, actual: Actual): Part {
  if (actual.hasPoolRoute) return {};
  return {
    ip: [`route add ${poolRoute(names)}`],
    differences: [`the route that ends ${formatPrefix(names.pool)} on this host was missing`],
  };
}

const strayDevice = ({ name }: Device): Part => ({
  remove: [name],
  differences: [`TAP ${name} belonged to no instance`],
});

function planDevice(attachment: Attachment, actual: Actual): Part {
  const { tap, instanceId, uid, asleep } = attachment;
  const of = `of instance ${instanceId}`;
  const device = actual.devices.get(tap);
  if (device === undefined) {
    return { ip: deviceCommands(attachment), tune: [tap], differences: [`TAP ${tap} ${of} was missing`] };
  }
  if (!device.usable || device.owner !== uid) {
    return {
      remove: [tap],
      ip: deviceCommands(attachment),
      tune: [tap],
      differences: [`TAP ${tap} ${of} was of the wrong kind or owner`],
    };
  }
  const wrongLink = device.mac !== gatewayMac || device.group !== "uni" || !device.up;
  const wrongSettings = differ(device.settings, wantedSettings);
  const routes = actual.routes.filter((route) => route.device === tap);
  const neighbours = actual.neighbours.filter((neighbour) => neighbour.device === tap);
  const strayRoutes = routes.filter(({ destination }) => destination !== attachment.address);
  const hasRoute = routes.length > strayRoutes.length;
  const isAwake = asleep === undefined;
  const hasNeighbour = neighbours.some(
    ({ address, mac, permanent }) => address === attachment.address && mac === attachment.mac && permanent,
  );
  const repairs: readonly (readonly [wrong: boolean, command: string | undefined, what: string])[] = [
    [wrongLink, linkCommand(tap), `link ${tap} ${of} was down or changed`],
    [!device.hasGateway, addressCommand(tap), `gateway address on ${tap} ${of} was missing`],
    [isAwake && !hasRoute, routeCommand(attachment), `route to ${attachment.address} ${of} was missing`],
    [!isAwake && hasRoute, noRouteCommand(attachment), `${of.slice(3)} sleeps, and its route was there`],
    [!hasNeighbour, neighbourCommand(attachment), `neighbour ${attachment.address} ${of} was missing`],
    [wrongSettings, undefined, `settings of ${tap} ${of} were changed`],
    ...strayRoutes.map(
      ({ destination }) =>
        [
          true,
          `route delete ${destination} dev ${tap}`,
          `route to ${destination} led to ${tap} ${of}`,
        ] as const,
    ),
  ];
  const wrong = repairs.filter(([isWrong]) => isWrong);
  // Setting a link's address makes the kernel forget its neighbours, permanent ones too.
  const again = wrongLink && hasNeighbour ? [neighbourCommand(attachment)] : [];
  return {
    ip: [...wrong.flatMap(([, command]) => command ?? []), ...again],
    tune: wrongSettings ? [tap] : [],
    differences: wrong.map(([, , what]) => what),
  };
}

function planTables(names: Names, wanted: Wanted, actual: Actual): Part {
  const isInScope = (element: Element) => inScope(wanted, guestAddress(element));
  // Which blocks are whose is known for certain only when everything is looked at.
  const mayGo = (element: Element) => wanted.only === undefined || element.set !== "siblings";
  const all = firstOfSlot([
    ...siblingElements(names, wanted.blocks),
    ...wanted.attachments.flatMap(elementsOf),
  ]);
  const wantedTexts = new Set(all.map(elementText));
  const stray = actual.elements.filter(
    (element) => isInScope(element) && mayGo(element) && !wantedTexts.has(elementText(element)),
  );
  const forget = stray.flatMap((element) => guestAddress(element) ?? []);
  const altered = wanted.tables.filter(
    (table) => actual.frames.get(table.family)?.join("\n") !== frameOf(table).join("\n"),
  );
  if (altered.length > 0) {
    const staying = actual.elements.filter((element) => !stray.includes(element));
    const elements = new Map([...staying, ...all].map((element) => [slot(element), element]));
    return {
      nft: rebuild(names, wanted.tables, [...elements.values()]),
      forget,
      differences: altered.map(({ family, name }) => `nftables ${family} ${name} was missing or changed`),
    };
  }
  const present = new Set(actual.elements.map(elementText));
  const missing = all.filter((element) => isInScope(element) && !present.has(elementText(element)));
  return {
    nft: [
      ...stray.map((element) => deleteElement(names, element)),
      ...missing.map((element) => addElement(names, element)),
    ],
    forget,
    differences: [
      ...stray.map((element) => `nftables ${elementText(element)} belonged to no instance`),
      ...missing.map((element) => `nftables ${elementText(element)} was missing`),
    ],
  };
}

/** Two attachments that claim one port must not make the whole transaction fail. */
function firstOfSlot(elements: readonly Element[]): readonly Element[] {
  const first = new Map<string, Element>();
  for (const element of elements) if (!first.has(slot(element))) first.set(slot(element), element);
  return [...first.values()];
}

/** One transaction: no packet meets a host without rules. Naming a table first lets its deletion succeed if it is gone. */
const rebuild = (names: Names, tables: readonly Table[], elements: readonly Element[]): readonly string[] => [
  ...tables.map(({ family, name }) => `table ${family} ${name} {}`),
  ...tables.map(({ family, name }) => `delete table ${family} ${name}`),
  ...tables.map(renderTable),
  ...elements.map((element) => addElement(names, element)),
];

const inScope = (wanted: Wanted, address: string | undefined): boolean =>
  wanted.only === undefined || address === undefined || wanted.only.has(address);
