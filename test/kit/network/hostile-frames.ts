/** What a hostile network card could send to reach whom it may not, or to change what the host knows. */
import { gatewayAddress, gatewayMac } from "../../../packages/daemon/src/network/names.ts";
import type { Attachment } from "../../../packages/daemon/src/network/port.ts";
import * as frames from "./frames.ts";

export interface Surroundings {
  /** The sender. */
  readonly mallory: Attachment;
  /** Of another account. */
  readonly alice: Attachment;
  /** Addresses of others. */
  readonly others: readonly string[];
  readonly host: string;
  /** Somebody on the host's link, whom everybody may reach. */
  readonly far: string;
  readonly metadata: string;
  readonly port: number;
}

const broadcastMac = "ff:ff:ff:ff:ff:ff";

/** By what they try; each holds what `mark` makes of that. */
export function hostileFrames(
  { mallory, alice, others, host, far, metadata, port }: Surroundings,
  mark: (what: string) => Buffer,
): Record<string, readonly Buffer[]> {
  const link = { from: mallory.mac, to: gatewayMac };
  const packet = (header: Partial<frames.Ipv4>, payload: Buffer, more: Partial<frames.Ethernet> = {}) =>
    frames.ethernet(
      { ...link, type: 0x0800, ...more },
      frames.ipv4({ from: mallory.address, to: alice.address, protocol: 17, ...header }, payload),
    );
  const text = (what: string) => frames.udp(port, port, mark(what));
  const everybody = [alice.address, ...others, host, gatewayAddress];
  const broadcasts = ["255.255.255.255", "198.51.100.255", "224.0.0.1", "224.0.0.251", "0.0.0.0"];
  const echo = (what: string) => frames.icmp(8, 0, frames.bytesOf("00010001"), mark(what));
  const linkLocal6 = "fe80000000000000007500fffe000001";
  const allNodes6 = "ff020000000000000000000000000001";
  const message6 = (type: number, rest: string, options: Buffer) =>
    frames.ethernet(
      { from: mallory.mac, to: "33:33:00:00:00:01", type: 0x86dd },
      frames.ipv6(
        { from: linkLocal6, to: allNodes6, next: 58 },
        Buffer.concat([Buffer.from([type, 0, 0, 0]), frames.bytesOf(rest), options]),
      ),
    );
  const says = (sending: Partial<frames.Arp>, more: Partial<frames.Ethernet> = {}) =>
    frames.ethernet(
      { from: mallory.mac, to: broadcastMac, type: 0x0806, ...more },
      frames.arp({
        ...{ operation: 2, senderMac: mallory.mac, sender: gatewayAddress },
        ...{ targetMac: broadcastMac, target: gatewayAddress, ...sending },
      }),
    );
  const fragments = (to: string, what: string, from = mallory.address) => {
    const whole = Buffer.concat([text(what), Buffer.alloc(64, "x")]);
    return [
      packet({ from, to, more: true }, whole.subarray(0, 48)),
      packet({ from, to, offset: 5, more: true }, whole.subarray(40, 64)),
      packet({ from, to, offset: 6 }, whole.subarray(48)),
    ];
  };
  return {
    "another's address": everybody.flatMap((from) =>
      [far, ...everybody].map((to) => packet({ from, to }, text("another's address"))),
    ),
    "an address that nobody has": [
      "0.0.0.0",
      "127.0.0.1",
      "224.0.0.1",
      "255.255.255.255",
      far,
      metadata,
    ].flatMap((from) =>
      [far, ...everybody].map((to) => packet({ from, to }, text("an address that nobody has"))),
    ),
    "another's card": [alice.mac, gatewayMac, broadcastMac, "00:00:00:00:00:00"].flatMap((from) =>
      [far, ...everybody].map((to) => packet({ to }, text("another's card"), { from })),
    ),
    "not by the gateway": [alice.mac, broadcastMac, "01:00:5e:00:00:01"].map((to) =>
      packet({}, text("not by the gateway"), { to }),
    ),
    "other accounts and the host": everybody.flatMap((to) => [
      packet({ to }, text("other accounts and the host")),
      packet(
        { to, protocol: 1 },
        to === gatewayAddress ? Buffer.alloc(8) : echo("other accounts and the host"),
      ),
      ...[0x02, 0x10, 0x12, 0x04, 0x11, 0x00, 0xff].map((flags) =>
        packet({ to, protocol: 6 }, frames.tcp(port, 22, flags, mark("other accounts and the host"))),
      ),
    ]),
    "loopback, link-local, metadata": [
      "127.0.0.1",
      "127.1.2.3",
      metadata,
      "169.254.1.2",
      "169.254.255.255",
    ].map((to) => packet({ to }, text("loopback, link-local, metadata"))),
    "everybody at once": broadcasts.flatMap((to) => [
      packet({ to }, text("everybody at once")),
      packet({ to }, text("everybody at once"), { to: broadcastMac }),
      packet(
        { to, protocol: 2 },
        Buffer.concat([frames.bytesOf("16000904 e00000fb"), mark("everybody at once")]),
      ),
    ]),
    "other protocols": [2, 4, 41, 47, 50, 89, 112, 132, 255].flatMap((protocol) =>
      everybody.map((to) =>
        packet(
          { to, protocol },
          frames.ipv4({ from: host, to: alice.address, protocol: 17 }, text("other protocols")),
        ),
      ),
    ),
    "fragments, overlapping ones too": everybody.flatMap((to) => [
      ...fragments(to, "fragments, overlapping ones too"),
      ...fragments(to, "fragments, overlapping ones too", host),
    ]),
    "source routes": ([131, 137] as const).flatMap((kind) =>
      [gatewayAddress, host].flatMap((to) =>
        [alice.address, ...others, far].map((over) =>
          packet({ to, options: frames.sourceRoute(kind, over) }, text("source routes")),
        ),
      ),
    ),
    "broken headers": [
      packet({ wrongSum: true }, text("broken headers")),
      packet({ version: 5 }, text("broken headers")),
      packet({ version: 6 }, text("broken headers")),
      packet({ length: 60_000 }, text("broken headers")),
      packet({ length: 3 }, text("broken headers")),
      frames.ethernet({ ...link, type: 0x0800 }, frames.bytesOf("4f")),
      frames.ethernet({ ...link, type: 0x0800 }, Buffer.alloc(0)),
    ],
    "huge frames": everybody.map((to) =>
      packet({ to }, Buffer.concat([text("huge frames"), Buffer.alloc(60_000, "x")])),
    ),
    tags: (
      [
        [0x8100, 0],
        [0x8100, 1],
        [0x8100, 4094],
        [0x88a8, 0],
        [0x88a8, 7],
      ] as const
    ).flatMap((tag) =>
      [[tag], [tag, [0x8100, 0] as const]].flatMap((tags) =>
        [mallory.address, alice.address].map((from) => packet({ from }, text("tags"), { tags })),
      ),
    ),
    "other kinds of frames": [
      0x0026, 0x05dc, 0x8035, 0x8847, 0x8863, 0x8864, 0x888e, 0x88cc, 0x8892, 0x9000, 0xffff,
    ].map((type) => frames.ethernet({ ...link, to: broadcastMac, type }, mark("other kinds of frames"))),
    "a router of IPv6": [
      // Router advertisement with a prefix and an MTU; neighbour solicitation and advertisement; redirect.
      message6(
        134,
        "40 c0 0708 00000000 00000000",
        Buffer.concat([
          frames.bytesOf("03 04 40 c0 00278d00 00093a80 00000000 20010db8000000000000000000000000"),
          frames.bytesOf("0101 027500000001"),
          frames.bytesOf("0501 0000 00000500"),
          mark("a router of IPv6"),
        ]),
      ),
      message6(133, "00000000", mark("a router of IPv6")),
      message6(135, `00000000 ${linkLocal6}`, frames.bytesOf("0101 027500000001")),
      message6(136, `a0000000 ${linkLocal6}`, frames.bytesOf("0201 027500000001")),
      message6(137, `00000000 ${linkLocal6} 20010db8000000000000000000000009`, mark("a router of IPv6")),
      frames.ethernet(
        { ...link, type: 0x86dd },
        frames.ipv6({ from: linkLocal6, to: allNodes6, next: 17 }, text("a router of IPv6")),
      ),
    ],
    "somebody else by ARP": [
      gatewayAddress,
      alice.address,
      ...others,
      host,
      far,
      "0.0.0.0",
      "203.0.113.9",
    ].flatMap((sender) => [
      says({ sender, target: sender }),
      says({ sender, target: sender, operation: 1 }),
      says({ sender, senderMac: alice.mac }),
      says({ sender, senderMac: broadcastMac }, { to: gatewayMac }),
      says({ sender, operation: 3 }, { type: 0x8035 }),
      // Its own address, behind another card.
      says({ sender: mallory.address, senderMac: alice.mac, target: sender }),
    ]),
    redirects: [alice.address, host, gatewayAddress, far].flatMap((to) =>
      [mallory.address, gatewayAddress, far].flatMap((from) =>
        [0, 1].map((code) => {
          const about = frames.ipv4({ from: to, to: far, protocol: 17 }, text("redirects"));
          const gateway = Buffer.from(mallory.address.split(".").map(Number));
          return packet({ from, to, protocol: 1 }, frames.icmp(5, code, gateway, about));
        }),
      ),
    ),
  };
}
