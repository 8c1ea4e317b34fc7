/**
 * This daemon's nftables, as data. What differs from instance to instance is in sets and maps, so a packet costs the same
 * with one instance or a thousand, and attaching one is a few elements.
 *
 * Everything is refused unless an element allows it: a TAP without elements is mute. `accept` and `return` in one of our
 * chains never overrule another table's `drop`.
 */
import { createHash } from "node:crypto";
import { formatPrefix } from "./addresses.ts";
import { deviceGroup, gatewayAddress, type Names } from "./names.ts";

export interface Rule {
  readonly text: string;
  /** In the listing, with a digest of the text: how a rule is recognised again. */
  readonly note: string;
}

export interface Chain {
  readonly name: string;
  readonly hook?: { readonly type: "filter" | "nat"; readonly hook: string; readonly priority: number };
  readonly rules: readonly Rule[];
}

export interface NamedSet {
  readonly kind: "set" | "map";
  readonly name: string;
  readonly key: readonly string[];
  readonly value?: readonly string[];
  readonly interval?: boolean;
}

export interface Table {
  readonly family: "inet" | "arp";
  readonly name: string;
  readonly sets: readonly NamedSet[];
  readonly chains: readonly Chain[];
}

export const ruleComment = (rule: Rule): string =>
  `${rule.note} (${createHash("sha256").update(rule.text).digest("hex").slice(0, 6)})`;

export function rulesetOf(names: Names, nameservers: readonly string[]): readonly Table[] {
  return [packetTable(names, nameservers), arpTable(names)];
}

export function renderTable(table: Table): string {
  const sets = table.sets.map((set) => {
    const type = [...[set.key.join(" . ")], ...(set.value === undefined ? [] : [set.value.join(" . ")])];
    return `  ${set.kind} ${set.name} { type ${type.join(" : ")};${set.interval === true ? " flags interval;" : ""} }`;
  });
  const chains = table.chains.map((chain) => {
    const hook = chain.hook;
    const head =
      hook === undefined
        ? []
        : [`    type ${hook.type} hook ${hook.hook} priority ${hook.priority}; policy accept;`];
    const rules = chain.rules.map((rule) => `    ${rule.text} comment "${ruleComment(rule)}"`);
    return [`  chain ${chain.name} {`, ...head, ...rules, "  }"].join("\n");
  });
  return [`table ${table.family} ${table.name} {`, ...sets, ...chains, "}"].join("\n");
}

const guestsSet: NamedSet = { kind: "set", name: "guests", key: ["ifname", "ether_addr", "ipv4_addr"] };

const drop = "counter drop";

/**
 * ICMP errors come from anywhere and name any connection, so tracking calls them related if there is one. A guest may complain of
 * its own only: else it could end what others have open, or make their packets small.
 */
const ownErrors: readonly Rule[] = [
  ...["ct original ip saddr", "ct reply ip saddr"].map((end) => ({
    text: `ct state related iifname . ether saddr . ${end} @guests accept`,
    note: "error about a connection of its own",
  })),
  { text: `ct state related ${drop}`, note: "error about somebody else's connection" },
];

function packetTable(names: Names, nameservers: readonly string[]): Table {
  const own = `"${names.tapPattern}"`;
  const waker = `"${names.waker}"`;
  const toNobody = `oifname ${waker} ip daddr != @addresses`;
  const pool = formatPrefix(names.pool);
  const publish: readonly Rule[] = [
    {
      text: "dnat ip to ip daddr . meta l4proto . th dport map @ports_at",
      note: "published on one address",
    },
    {
      text: "fib daddr type local dnat ip to meta l4proto . th dport map @ports",
      note: "published on all addresses",
    },
  ];
  return {
    family: "inet",
    name: names.table,
    sets: [
      guestsSet,
      { kind: "set", name: "addresses", key: ["ipv4_addr"] },
      { kind: "set", name: "siblings", key: ["ipv4_addr", "ipv4_addr"], interval: true },
      {
        kind: "map",
        name: "ports",
        key: ["inet_proto", "inet_service"],
        value: ["ipv4_addr", "inet_service"],
      },
      {
        kind: "map",
        name: "ports_at",
        key: ["ipv4_addr", "inet_proto", "inet_service"],
        value: ["ipv4_addr", "inet_service"],
      },
    ],
    chains: [
      // Before connection tracking: what is refused here leaves no trace in it.
      {
        name: "speaker",
        rules: [
          // route_localnet is on for the TAPs, so the kernel itself would let a guest reach the host's loopback.
          { text: `ip daddr 127.0.0.0/8 ${drop}`, note: "host loopback" },
          { text: "iifname . ether saddr . ip saddr @guests accept", note: "own address" },
          { text: drop, note: "spoofed or not IPv4" },
        ],
      },
      {
        name: "source",
        hook: { type: "filter", hook: "prerouting", priority: -300 },
        rules: [
          // Written back after a wake, so here for the second time: tracking would take it for a contradiction.
          { text: `iifname ${waker} ip daddr ${pool} notrack accept`, note: "was held for a sleeper" },
          { text: `iifname ${waker} ${drop}`, note: "nothing else comes from the waker" },
          { text: `iifname ${own} goto speaker`, note: "from a guest" },
          { text: `iifname != "lo" ip saddr ${pool} ${drop}`, note: "our address from elsewhere" },
        ],
      },
      {
        name: "input",
        hook: { type: "filter", hook: "input", priority: 0 },
        rules: [
          { text: `iifname != ${own} accept`, note: "not from a guest" },
          { text: "ct state established accept", note: "answers to the host" },
          ...ownErrors,
          { text: `ip daddr ${gatewayAddress} icmp type echo-request accept`, note: "ping the gateway" },
          { text: drop, note: "host services" },
        ],
      },
      {
        // For the host's own sockets: TCP is still busy sending when an ICMP error gets there, and would take no notice;
        // UDP reports this kind of error only (icmp(7)).
        name: "output",
        hook: { type: "filter", hook: "output", priority: 0 },
        rules: [
          { text: `${toNobody} meta l4proto tcp counter reject with tcp reset`, note: "nobody there" },
          { text: `${toNobody} counter reject with icmp type port-unreachable`, note: "nobody there" },
        ],
      },
      {
        name: "from_guest",
        rules: [
          // Connection tracking does not translate these, so they would leave with a private source address.
          { text: `ct state invalid ${drop}`, note: "no connection" },
          { text: "ct state established accept", note: "known connection" },
          ...ownErrors,
          { text: "ct status dnat accept", note: "to a published port" },
          { text: `oifname ${own} ip saddr . ip daddr @siblings accept`, note: "same account" },
          { text: `oifname ${own} ${drop}`, note: "other account" },
          { text: `oifgroup ${deviceGroup} ${drop}`, note: "other daemon" },
          ...linkLocalResolvers(nameservers),
          { text: `ip daddr 169.254.0.0/16 ${drop}`, note: "link-local, cloud metadata" },
        ],
      },
      {
        name: "to_guest",
        rules: [
          { text: "ct state established,related accept", note: "known connection" },
          { text: "ct status dnat accept", note: "to a published port" },
          { text: drop, note: "not published" },
        ],
      },
      {
        name: "forward",
        hook: { type: "filter", hook: "forward", priority: 0 },
        rules: [
          { text: `${toNobody} counter reject with icmp type host-unreachable`, note: "nobody there" },
          // All rules below have let it pass on its way to the waker.
          { text: `iifname ${waker} accept`, note: "was held for a sleeper" },
          // Guests have an MTU of 1500 whatever the host's uplink has, and ICMP does not get through everywhere.
          { text: `iifname ${own} tcp flags syn tcp option maxseg size set rt mtu`, note: "fit the path" },
          { text: `oifname ${own} tcp flags syn tcp option maxseg size set rt mtu`, note: "fit the path" },
          { text: `iifname ${own} goto from_guest`, note: "from a guest" },
          { text: `oifname ${own} goto to_guest`, note: "to a guest" },
        ],
      },
      {
        name: "publish",
        hook: { type: "nat", hook: "prerouting", priority: -100 },
        rules: [
          // A neighbour on the link can send to 127.0.0.1; this hook is earlier than the kernel's refusal.
          { text: "ip daddr 127.0.0.0/8 accept", note: "loopback is not for others" },
          ...publish,
        ],
      },
      {
        name: "publish_local",
        hook: { type: "nat", hook: "output", priority: -100 },
        rules: publish,
      },
      {
        name: "leave",
        hook: { type: "nat", hook: "postrouting", priority: 100 },
        rules: [
          {
            text: `oifname ${own} ip saddr 127.0.0.0/8 snat ip to ${gatewayAddress}`,
            note: "published, from host loopback",
          },
          // Else a guest that reaches itself through the host would get packets from its own address.
          {
            text: `oifname ${own} ip saddr ${pool} ct status dnat snat ip to ${gatewayAddress}`,
            note: "published, from a guest",
          },
          { text: `oifname != ${own} ip saddr ${pool} ip daddr != ${pool} masquerade`, note: "outwards" },
        ],
      },
    ],
  };
}

/** Some clouds have their resolver at a link-local address, next to metadata that guests must not read. */
function linkLocalResolvers(nameservers: readonly string[]): readonly Rule[] {
  const local = nameservers.filter((address) => address.startsWith("169.254."));
  if (local.length === 0) return [];
  return [
    {
      text: `ip daddr { ${local.join(", ")} } meta l4proto { tcp, udp } th dport 53 accept`,
      note: "link-local resolver",
    },
  ];
}

/**
 * The host answers ARP on a TAP, and would remember every sender address a guest makes up: the neighbour table is one for
 * the whole host and bounded (arp(7), gc_thresh3), so one guest could cut the host off.
 */
function arpTable(names: Names): Table {
  return {
    family: "arp",
    name: names.table,
    sets: [guestsSet],
    chains: [
      {
        name: "input",
        hook: { type: "filter", hook: "input", priority: 0 },
        rules: [
          { text: `iifname != "${names.tapPattern}" accept`, note: "not from a guest" },
          { text: "iifname . arp saddr ether . arp saddr ip @guests accept", note: "own address" },
          { text: drop, note: "spoofed" },
        ],
      },
    ],
  };
}
