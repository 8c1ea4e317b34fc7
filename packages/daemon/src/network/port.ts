/**
 * The host's side of instance networking: one routed /32 and one TAP per running machine, one nft table per daemon, and
 * one process that holds packets for sleepers (native/waker). All of it is derived from the list of attachments, so a
 * daemon that was away compares and repairs.
 */
import type { AccountId } from "@uni/contract/ids";

export interface PublishedPort {
  /** "0.0.0.0" publishes on all host addresses. */
  readonly hostAddress: string;
  readonly hostPort: number;
  readonly guestPort: number;
  readonly protocol: "tcp" | "udp";
}

export interface Attachment {
  readonly instanceId: string;
  readonly account: AccountId;
  readonly address: string;
  readonly mac: string;
  readonly tap: string;
  /** User that may attach to the TAP. */
  readonly uid: number;
  readonly ports: readonly PublishedPort[];
  /** How it sleeps: "paused" keeps its TAP without a route, "disk" has no TAP. Absent: awake. */
  readonly asleep?: "paused" | "disk" | undefined;
}

/** What a packet that woke somebody was. */
export interface WakeOrigin {
  readonly kind: "tcp" | "udp" | "icmp" | "other";
  readonly source: string;
}

export type WakeHandler = (address: string, origin: WakeOrigin) => void;

/** Packets, but for `reported`: addresses reported. Counted since the waker was started. */
export interface WakeStats {
  readonly held: number;
  readonly dropped: number;
  readonly expired: number;
  readonly reported: number;
  readonly released: number;
}

export interface Traffic {
  readonly rxBytes: number;
  readonly rxPackets: number;
  readonly txBytes: number;
  readonly txPackets: number;
}

export interface Network {
  /** CIDR of this daemon's pool. */
  readonly pool: string;
  /** The guests' default gateway: a link-local address on every TAP. */
  readonly gateway: string;
  readonly nameservers: readonly string[];
  /** MAC and TAP name for an address; pure, so both can be derived again. */
  namesFor(address: string): { readonly mac: string; readonly tap: string };
  /** A free address of the account's part of the pool; `none_free` when it is full. */
  pickAddress(account: AccountId, used: ReadonlySet<string>): string;
  /** `port_in_use` if somebody listens on it, with the owner (instance or process) in the message. */
  checkPorts(ports: readonly PublishedPort[], attached: readonly Attachment[]): Promise<void>;
  /**
   * Its TAP can be opened from the return on, and its packets are held. All else is there after `attach` with `asleep` "paused",
   * before which no guest may run on it.
   */
  makeDevice(attachment: Attachment): Promise<void>;
  /** With `asleep` "paused" its packets are held until `wake`. */
  attach(attachment: Attachment): Promise<void>;
  /** Of what `attach` was called for: its ports become these, asleep or awake. Connections through others end. */
  publish(attachment: Attachment): Promise<void>;
  /** Harmless when nothing is there. */
  detach(attachment: Attachment): Promise<void>;
  /**
   * From its return on packets for the address are held and reported; published ports stay, connections stay tracked.
   * `attachment.asleep` says how it is to sleep; called again to go from "paused" to "disk" and back.
   */
  sleep(attachment: Attachment): Promise<void>;
  /** The TAP is there afterwards, and packets are held on. For a machine that is about to be made anew. */
  prepareWake(attachment: Attachment): Promise<void>;
  /** The route is back, then what was held goes out in the order it came. The machine must be running. */
  wake(attachment: Attachment): Promise<void>;
  /**
   * Called with the first packet for a sleeper, also when it came while no daemon ran. May be called again while the
   * sleeper has not been woken; what was held is dropped after half a minute, and the next packet reported. The returned
   * function ends it.
   */
  onWake(handler: WakeHandler): () => void;
  /** All 0 while nobody has slept. */
  wakeStats(): Promise<WakeStats>;
  /**
   * Makes the host's state exactly this; returns what was wrong, in words, for the log. Calls take effect in the order they
   * are made: `wanted` holds every instance whose `attach` was called before, also one that is still under way.
   */
  reconcile(wanted: readonly Attachment[]): Promise<readonly string[]>;
  /** Undefined when the TAP is gone. Seen from the guest: rx is what it received. */
  traffic(tap: string): Promise<Traffic | undefined>;
  /** Removes everything this daemon owns on the host. */
  remove(): Promise<void>;
}
