/** Fulfils `port.ts`: orders changes, does the usual ones by the shortest way, all others by comparing and repairing. */
import { UniError } from "@uni/contract/errors";
import type { AccountId } from "@uni/contract/ids";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { messageOf } from "../base/message-of.ts";
import { readDeviceCounters } from "../host/device-settings.ts";
import type { AccountBlocks } from "./account-blocks.ts";
import { type Accounts, createAccounts } from "./accounts.ts";
import { readActual } from "./actual.ts";
import { contains, formatPrefix, overlaps, type Prefix, parseAddress, parsePrefix } from "./addresses.ts";
import { applyPlan, removeAll, turnForwardingOn } from "./apply.ts";
import { Attachments } from "./attachments.ts";
import { type Change, Changes } from "./changes.ts";
import { directPlan, joinPlans } from "./direct-plan.ts";
import { createForgetter, type Forgetter } from "./forget.ts";
import { Holding } from "./holding.ts";
import { gatewayAddress, macFor, type Names, namesOf, tapFor } from "./names.ts";
import { readNameservers } from "./nameservers.ts";
import { type Plan, planChanges } from "./plan.ts";
import { choosePool, hostPrefixes } from "./pool.ts";
import type { Attachment, Network, PublishedPort, Traffic, WakeHandler, WakeStats } from "./port.ts";
import {
  mappingText,
  refuseTaken,
  refuseTakenOnHost,
  validateLocal,
  validatePorts,
} from "./published-ports.ts";
import { rulesetOf, type Table } from "./ruleset.ts";

export interface NetworkOptions {
  readonly log: Log;
  readonly clock: Clock;
  /** 4 to 6 of a-z and 0-9; one per data directory, the same at every start. */
  readonly daemonId: string;
  /** This room's own; a short path, as there will be a socket. */
  readonly runtimeDirectory: string;
  /** What `choosePool` said at the first start. */
  readonly pool?: string | undefined;
  /** Ranges that a newly chosen pool must keep clear of. */
  readonly reservedRanges?: readonly string[];
  /** Default: the host's. */
  readonly nameservers?: readonly string[];
  /** As stored; it grows through `onAccountBlocks`, which is called before the first address of a block is given out. */
  readonly accountBlocks?: AccountBlocks;
  readonly onAccountBlocks?: (account: AccountId, blocks: readonly number[]) => void;
}

/** Leaves what an earlier daemon attached as it is, until `reconcile` says what is wanted. */
export async function createNetwork(options: NetworkOptions): Promise<Network> {
  const pool = parsePool(options.pool ?? (await choosePool(options.daemonId, options.reservedRanges)));
  const network = new HostNetwork(options, pool, options.nameservers ?? (await readNameservers()));
  await warnOfOverlap(pool, options.log);
  await network.begin();
  return network;
}

class HostNetwork implements Network {
  readonly gateway = gatewayAddress;
  readonly nameservers: readonly string[];
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #pool: Prefix;
  readonly #names: Names;
  readonly #tables: readonly Table[];
  readonly #accounts: Accounts;
  readonly #attachments: Attachments;
  readonly #holding: Holding;
  readonly #forgetter: Forgetter;
  readonly #changes = new Changes((changes) => this.#apply(changes));
  /** An account has got another block, and the host does not know of it yet. */
  #grown = false;
  #firstReconcile = true;

  constructor(options: NetworkOptions, pool: Prefix, nameservers: readonly string[]) {
    const { log, clock } = options;
    this.nameservers = nameservers;
    this.#log = log;
    this.#clock = clock;
    this.#pool = pool;
    this.#names = namesOf(options.daemonId, pool);
    this.#tables = rulesetOf(this.#names, nameservers);
    this.#accounts = createAccounts(pool, options.accountBlocks, (account, blocks) => {
      this.#grown = true;
      options.onAccountBlocks?.(account, blocks);
    });
    this.#attachments = new Attachments(this.#accounts);
    this.#holding = new Holding({
      ...{ clock, log, directory: options.runtimeDirectory, device: this.#names.waker, pool: this.pool },
      sleepers: () => this.#attachments.sleepers(),
      makeDevice: () => this.#repair(new Set()),
      alone: (task) => this.#changes.alone(task),
    });
    this.#forgetter = createForgetter(log);
  }

  get pool(): string {
    return formatPrefix(this.#pool);
  }

  async begin(): Promise<void> {
    await turnForwardingOn(this.#log);
    await this.#holding.waker.adopt();
    await this.#changes.alone(() => this.#repair(new Set()));
  }

  namesFor(address: string): { mac: string; tap: string } {
    return { mac: macFor(this.#names, address), tap: tapFor(this.#names, address) };
  }

  pickAddress(account: AccountId, used: ReadonlySet<string>): string {
    return this.#accounts.pickAddress(account, used);
  }

  async checkPorts(ports: readonly PublishedPort[], attached: readonly Attachment[]): Promise<void> {
    validatePorts(ports);
    validateLocal(ports);
    refuseTaken(ports, attached);
    await refuseTakenOnHost(this.#names, ports);
  }

  async makeDevice(attachment: Attachment): Promise<void> {
    validate(this.#names, attachment);
    await this.#changes.submit({ kind: "device", attachment: { ...attachment, asleep: "paused" } });
  }

  async attach(attachment: Attachment): Promise<void> {
    validate(this.#names, attachment);
    validateLocal(attachment.ports);
    await this.#changes.submit({ kind: "attach", attachment });
    await this.#forgetter.forgetUdpPorts(udpPorts(attachment.ports));
  }

  async publish(attachment: Attachment): Promise<void> {
    validate(this.#names, attachment);
    validateLocal(attachment.ports);
    const before = this.#attachments.find(attachment.address)?.ports ?? [];
    await this.#changes.submit({ kind: "publish", attachment });
    const after = new Set(attachment.ports.map(mappingText));
    await this.#forgetter.forgetPublished(
      attachment.address,
      before.filter((port) => !after.has(mappingText(port))),
    );
    await this.#forgetter.forgetUdpPorts(udpPorts(attachment.ports));
  }

  async detach(attachment: Attachment): Promise<void> {
    validate(this.#names, attachment);
    await this.#changes.submit({ kind: "detach", attachment });
    await this.#forgetter.forget([attachment.address]);
  }

  async sleep(attachment: Attachment): Promise<void> {
    if (attachment.asleep === undefined) {
      throw new UniError("internal", `put ${attachment.address} to sleep: how is not said`);
    }
    await this.#move(attachment);
  }

  async prepareWake(attachment: Attachment): Promise<void> {
    await this.#move({ ...attachment, asleep: "paused" });
  }

  async wake(attachment: Attachment): Promise<void> {
    await this.#move({ ...attachment, asleep: undefined });
  }

  onWake(handler: WakeHandler): () => void {
    return this.#holding.waker.onWake(handler);
  }

  wakeStats(): Promise<WakeStats> {
    return this.#holding.waker.stats();
  }

  async reconcile(wanted: readonly Attachment[]): Promise<readonly string[]> {
    for (const attachment of wanted) {
      validate(this.#names, attachment);
      this.#accounts.claim(attachment.account, attachment.address);
    }
    const plan = await this.#changes.alone(async () => {
      this.#attachments.replaceAll(wanted);
      await turnForwardingOn(this.#log);
      // Held first, as repairing takes routes away.
      const more = await this.#holding.reconcile();
      const done = await this.#repair(undefined, true);
      await this.#holding.sync();
      this.#grown = false;
      return { ...done, differences: [...more, ...done.differences] };
    });
    if (this.#firstReconcile) await this.#forgetter.forgetWhere(this.#isUnused);
    else await this.#forgetter.forget(plan.forget);
    this.#firstReconcile = false;
    return plan.differences;
  }

  async traffic(tap: string): Promise<Traffic | undefined> {
    const seen = await readDeviceCounters(tap);
    if (seen === undefined) return undefined;
    // What the host sends through the TAP is what the guest receives.
    return {
      rxBytes: seen.txBytes,
      rxPackets: seen.txPackets,
      txBytes: seen.rxBytes,
      txPackets: seen.rxPackets,
    };
  }

  async remove(): Promise<void> {
    await this.#changes.alone(async () => {
      this.#attachments.replaceAll([]);
      await this.#holding.waker.end();
      await removeAll(this.#names, this.#tables, await readActual(this.#names, this.#tables));
    });
    await this.#forgetter.forgetWhere(this.#isUnused);
  }

  readonly #isUnused = (address: string): boolean => {
    const value = parseAddress(address);
    return (
      value !== undefined && contains(this.#pool, value) && this.#attachments.find(address) === undefined
    );
  };

  async #move(attachment: Attachment): Promise<void> {
    validate(this.#names, attachment);
    await this.#changes.submit({ kind: "move", attachment });
  }

  async #apply(changes: readonly Change[]): Promise<readonly unknown[]> {
    const startUs = this.#clock.monotonicUs();
    const before = this.#attachments.copy();
    const refusals = changes.map((change) => this.#attachments.admit(change));
    const failures = new Map<Change, unknown>();
    const admitted = changes.filter((_, index) => refusals[index] === undefined);
    for (const [change, error] of await this.#holding.holdFor(admitted)) {
      failures.set(change, error);
      this.#attachments.restore(change.attachment.address, before.get(change.attachment.address));
    }
    const accepted = admitted.filter((change) => !failures.has(change));
    try {
      // New blocks need elements besides the guests' own: seldom, so left to the comparison.
      if (this.#grown) throw new UniError("internal", "an account has got another block");
      await this.#applyDirectly(accepted, before);
    } catch (error) {
      this.#log.debug(
        { reason: messageOf(error) },
        "comparing with the host instead of changing it directly",
      );
      for (const change of accepted) {
        failures.set(change, await this.#applyByRepair(change, before.get(change.attachment.address)));
      }
      this.#grown = false;
    }
    const woken = accepted.filter(({ kind, attachment: { address } }) => {
      const slept = kind === "move" || before.get(address)?.asleep !== undefined;
      return slept && this.#attachments.find(address)?.asleep === undefined;
    });
    await this.#holding.release(woken.map(({ attachment }) => attachment.address));
    const us = this.#clock.monotonicUs() - startUs;
    this.#log.debug({ changes: changes.length, us }, "changed the host's network");
    return changes.map((change, index) => refusals[index] ?? failures.get(change));
  }

  async #applyDirectly(changes: readonly Change[], before: ReadonlyMap<string, Attachment>): Promise<void> {
    const plans = changes.map((change) =>
      directPlan(this.#names, change, before.get(change.attachment.address)),
    );
    await applyPlan(this.#names, joinPlans(plans));
  }

  /** Undoes by comparing as well: what is wanted is then what was there before. */
  async #applyByRepair({ kind, attachment }: Change, before: Attachment | undefined): Promise<unknown> {
    const { instanceId, address, tap } = attachment;
    const only = new Set([address]);
    try {
      await this.#repair(only);
      return undefined;
    } catch (error) {
      const attempted = `${kind} instance ${instanceId} at ${address}`;
      const failure = new UniError("failed", `${attempted}: ${messageOf(error)}`, { cause: error });
      if (kind === "detach") return failure;
      this.#attachments.restore(address, before);
      await this.#repair(only, true).catch((undo: unknown) =>
        this.#log.warn({ err: undo, tap }, "could not undo a failed attachment; reconciling will"),
      );
      return failure;
    }
  }

  /** Looks at the host and repairs what concerns these addresses; without any, everything. */
  async #repair(only?: ReadonlySet<string>, force = false): Promise<Plan> {
    const wanted = {
      ...{ attachments: this.#attachments.all(), blocks: this.#accounts.blocks(), tables: this.#tables },
      ...{ only, waker: this.#attachments.sleepers().length > 0 },
    };
    const plan = planChanges(this.#names, wanted, await readActual(this.#names, this.#tables));
    await applyPlan(this.#names, plan, { force });
    return plan;
  }
}

const udpPorts = (ports: readonly PublishedPort[]): readonly number[] =>
  ports.filter(({ protocol }) => protocol === "udp").map(({ hostPort }) => hostPort);

function parsePool(text: string): Prefix {
  const pool = parsePrefix(text);
  if (pool === undefined) throw new UniError("invalid_value", `network pool "${text}": no IPv4 prefix`);
  return pool;
}

/** These words end up in commands for `netlink` and `nft`: nothing passes that is not exactly what `namesFor` makes. */
function validate(names: Names, attachment: Attachment): void {
  const { address, tap, mac, uid, ports } = attachment;
  if (tap !== tapFor(names, address) || mac !== macFor(names, address)) {
    throw new UniError(
      "invalid_value",
      `attach ${address}: TAP ${tap} and MAC ${mac} are not this address's`,
    );
  }
  if (!Number.isInteger(uid) || uid < 0 || uid >= 2 ** 32 - 1) {
    throw new UniError("invalid_value", `attach ${address}: ${uid} is no user id`);
  }
  validatePorts(ports);
}

/** The instances keep their addresses, so all that can be done is to say it. */
async function warnOfOverlap(pool: Prefix, log: Log): Promise<void> {
  const wider = (await hostPrefixes()).filter(
    (prefix) => prefix.length < pool.length && overlaps(prefix, pool),
  );
  if (wider.length === 0) return;
  log.warn(
    { pool: formatPrefix(pool), routes: wider.map(formatPrefix) },
    "the host has a route that covers the instances' addresses: what is behind it cannot be reached there",
  );
}
