/** Fulfils `port.ts`: orders changes, does the usual ones by the shortest way, all others by comparing and repairing. */
import { UniError } from "@uni/contract/errors";
import type { AccountId } from "@uni/contract/ids";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { readDeviceCounters } from "../host/device-settings.ts";
import type { AccountBlocks } from "./account-blocks.ts";
import { createAccounts } from "./accounts.ts";
import { readActual } from "./actual.ts";
import { contains, formatPrefix, overlaps, type Prefix, parseAddress, parsePrefix } from "./addresses.ts";
import { applyPlan, removeAll, turnForwardingOn } from "./apply.ts";
import { type Change, Changes } from "./changes.ts";
import { directPlan, joinPlans } from "./direct-plan.ts";
import { createForgetter } from "./forget.ts";
import { gatewayAddress, macFor, type Names, namesOf, tapFor } from "./names.ts";
import { readNameservers } from "./nameservers.ts";
import { type Plan, planChanges } from "./plan.ts";
import { choosePool, hostPrefixes } from "./pool.ts";
import type { Attachment, Network, PublishedPort } from "./port.ts";
import {
  mappingText,
  refuseTaken,
  refuseTakenOnHost,
  validateLocal,
  validatePorts,
} from "./published-ports.ts";
import { rulesetOf } from "./ruleset.ts";
import { Waker } from "./waker.ts";

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

const wakerRetryMs = 1_000;

/** Leaves what an earlier daemon attached as it is, until `reconcile` says what is wanted. */
export async function createNetwork(options: NetworkOptions): Promise<Network> {
  const { log, clock, daemonId } = options;
  const pool = parsePool(options.pool ?? (await choosePool(daemonId, options.reservedRanges)));
  const names = namesOf(daemonId, pool);
  const nameservers = options.nameservers ?? (await readNameservers());
  const tables = rulesetOf(names, nameservers);
  let grown = false;
  const accounts = createAccounts(pool, options.accountBlocks, (account, blocks) => {
    grown = true;
    options.onAccountBlocks?.(account, blocks);
  });
  /** Every attachment that this process has been told of, by address. */
  const known = new Map<string, Attachment>();

  const waker = new Waker({
    clock,
    log,
    directory: options.runtimeDirectory,
    device: names.waker,
    pool: formatPrefix(pool),
    onLost: () => {
      log.warn(
        { device: names.waker },
        "the process that holds packets for sleepers has ended: starting it again",
      );
      bringWakerBack();
    },
  });
  const sleepers = () =>
    [...known.values()].flatMap(({ asleep, address }) => (asleep === undefined ? [] : [address]));

  /** True if it had to be started. */
  async function ensureWaker(): Promise<boolean> {
    if (waker.isConnected) return false;
    await repair(new Set());
    const started = await waker.start();
    await waker.hold(sleepers());
    return started;
  }

  function bringWakerBack(): void {
    changes
      .alone(async () => {
        if (sleepers().length > 0) await ensureWaker();
      })
      .catch((error: unknown) => {
        log.error({ err: error }, "sleepers cannot be woken by packets; trying again");
        clock.after(wakerRetryMs, bringWakerBack);
      });
  }

  /** Looks at the host and repairs what concerns these addresses; without any, everything. */
  async function repair(only?: ReadonlySet<string>, force = false): Promise<Plan> {
    const attachments = [...known.values()];
    const wanted = { attachments, blocks: accounts.blocks(), tables, only, waker: sleepers().length > 0 };
    const plan = planChanges(names, wanted, await readActual(names, tables));
    await applyPlan(names, plan, { force });
    return plan;
  }

  async function applyDirectly(changes: readonly Change[], before: ReadonlyMap<string, Attachment>) {
    const plans = changes.map((change) => directPlan(names, change, before.get(change.attachment.address)));
    await applyPlan(names, joinPlans(plans));
  }

  /** Undoes by comparing as well: what is wanted is then what was there before. */
  async function applyByRepair(
    { kind, attachment }: Change,
    before: Attachment | undefined,
  ): Promise<unknown> {
    const only = new Set([attachment.address]);
    try {
      await repair(only);
      return undefined;
    } catch (error) {
      const failure = new UniError(
        "failed",
        `${kind} instance ${attachment.instanceId} at ${attachment.address}: ${messageOf(error)}`,
        { cause: error },
      );
      if (kind === "detach") return failure;
      restore(attachment.address, before);
      await repair(only, true).catch((undo: unknown) =>
        log.warn({ err: undo, tap: attachment.tap }, "could not undo a failed attachment; reconciling will"),
      );
      return failure;
    }
  }

  async function applyChanges(changes: readonly Change[]): Promise<readonly unknown[]> {
    const startUs = clock.monotonicUs();
    const before = new Map(known);
    const refusals = changes.map((change) => refuse(change));
    const failures = new Map<Change, unknown>();
    const admitted = changes.filter((_, index) => refusals[index] === undefined);
    for (const [change, error] of await holdFor(admitted)) {
      failures.set(change, error);
      restore(change.attachment.address, before.get(change.attachment.address));
    }
    const accepted = admitted.filter((change) => !failures.has(change));
    try {
      // New blocks need elements besides the guests' own: seldom, so left to the comparison.
      if (grown) throw new UniError("internal", "an account has got another block");
      await applyDirectly(accepted, before);
    } catch (error) {
      log.debug({ reason: messageOf(error) }, "comparing with the host instead of changing it directly");
      for (const change of accepted) {
        failures.set(change, await applyByRepair(change, before.get(change.attachment.address)));
      }
      grown = false;
    }
    const woken = accepted.filter(({ kind, attachment: { address } }) => {
      const slept = kind === "move" || before.get(address)?.asleep !== undefined;
      return slept && known.get(address)?.asleep === undefined;
    });
    await release(woken.map(({ attachment }) => attachment.address));
    log.debug({ changes: changes.length, us: clock.monotonicUs() - startUs }, "changed the host's network");
    return changes.map((change, index) => refusals[index] ?? failures.get(change));
  }

  /** Holds first, as repairing takes routes away. That it cannot must not keep it from repairing all else. */
  async function reconcileWaker(): Promise<readonly string[]> {
    if (sleepers().length === 0) return [];
    try {
      const started = await ensureWaker();
      await waker.hold(sleepers());
      return started ? ["the process that holds packets for sleepers did not run"] : [];
    } catch (error) {
      bringWakerBack();
      return [`packets for sleepers cannot be held: ${messageOf(error)}`];
    }
  }

  /** Before the routes go: what comes from here on is kept. Says for whom it cannot be. */
  async function holdFor(changes: readonly Change[]): Promise<ReadonlyMap<Change, unknown>> {
    const falling = changes.filter(
      ({ kind, attachment }) =>
        (kind === "move" || kind === "attach" || kind === "device") && attachment.asleep !== undefined,
    );
    if (falling.length === 0) return new Map();
    try {
      await ensureWaker();
      await waker.hold(falling.map(({ attachment }) => attachment.address));
      return new Map();
    } catch (error) {
      return new Map(falling.map((change) => [change, error]));
    }
  }

  /** After the routes are there. Without a waker nothing is held, and its successor holds for sleepers only. */
  async function release(addresses: readonly string[]): Promise<void> {
    if (addresses.length === 0 || !waker.isConnected) return;
    await waker
      .release(addresses)
      .catch((error: unknown) => log.warn({ err: error, addresses }, "held packets are lost"));
  }

  function restore(address: string, before: Attachment | undefined): void {
    if (before === undefined) known.delete(address);
    else known.set(address, before);
  }

  /** What is against an attachment in the light of the others; if nothing is, it counts as known from here on. */
  function refuse({ kind, attachment }: Change): unknown {
    if (kind === "detach") return void known.delete(attachment.address);
    try {
      const others = [...known.values()].filter(({ instanceId }) => instanceId !== attachment.instanceId);
      const rival = others.find(({ address }) => address === attachment.address);
      if (rival !== undefined) {
        throw new UniError("in_use", `address ${attachment.address}: instance ${rival.instanceId} has it`);
      }
      refuseTaken(attachment.ports, others);
      accounts.claim(attachment.account, attachment.address);
      known.set(attachment.address, wantedOf(kind, attachment));
      return undefined;
    } catch (error) {
      return error;
    }
  }

  /** One that is published otherwise sleeps or not as before. */
  const wantedOf = (kind: Change["kind"], attachment: Attachment): Attachment =>
    kind === "publish"
      ? { ...attachment, ...known.get(attachment.address), ports: attachment.ports }
      : attachment;

  const isUnused = (address: string) => {
    const value = parseAddress(address);
    return value !== undefined && contains(pool, value) && !known.has(address);
  };
  const forgetter = createForgetter(log);
  let firstReconcile = true;
  const changes = new Changes(applyChanges);
  const move = (attachment: Attachment): Promise<void> => {
    validate(names, attachment);
    return changes.submit({ kind: "move", attachment });
  };
  await turnForwardingOn(log);
  await warnOfOverlap(pool, log);
  await waker.adopt();
  await changes.alone(() => repair(new Set()));

  return {
    pool: formatPrefix(pool),
    gateway: gatewayAddress,
    nameservers,
    namesFor: (address) => ({ mac: macFor(names, address), tap: tapFor(names, address) }),
    pickAddress: accounts.pickAddress,
    async checkPorts(ports, attached) {
      validatePorts(ports);
      validateLocal(ports);
      refuseTaken(ports, attached);
      await refuseTakenOnHost(names, ports);
    },
    async makeDevice(attachment) {
      validate(names, attachment);
      await changes.submit({ kind: "device", attachment: { ...attachment, asleep: "paused" } });
    },
    async attach(attachment) {
      validate(names, attachment);
      validateLocal(attachment.ports);
      await changes.submit({ kind: "attach", attachment });
      await forgetter.forgetUdpPorts(udpPorts(attachment.ports));
    },
    async publish(attachment) {
      validate(names, attachment);
      validateLocal(attachment.ports);
      const before = known.get(attachment.address)?.ports ?? [];
      await changes.submit({ kind: "publish", attachment });
      const after = new Set(attachment.ports.map(mappingText));
      await forgetter.forgetPublished(
        attachment.address,
        before.filter((port) => !after.has(mappingText(port))),
      );
      await forgetter.forgetUdpPorts(udpPorts(attachment.ports));
    },
    async detach(attachment) {
      validate(names, attachment);
      await changes.submit({ kind: "detach", attachment });
      await forgetter.forget([attachment.address]);
    },
    async sleep(attachment) {
      if (attachment.asleep === undefined) {
        throw new UniError("internal", `put ${attachment.address} to sleep: how is not said`);
      }
      await move(attachment);
    },
    prepareWake: (attachment) => move({ ...attachment, asleep: "paused" }),
    wake: (attachment) => move({ ...attachment, asleep: undefined }),
    onWake: (handler) => waker.onWake(handler),
    wakeStats: () => waker.stats(),
    reconcile: async (wanted) => {
      for (const attachment of wanted) {
        validate(names, attachment);
        accounts.claim(attachment.account, attachment.address);
      }
      const plan = await changes.alone(async () => {
        known.clear();
        for (const attachment of wanted) known.set(attachment.address, attachment);
        await turnForwardingOn(log);
        const more = await reconcileWaker();
        const done = await repair(undefined, true);
        // Releases whoever is awake by now, and their routes are there.
        if (waker.isConnected) await waker.sync(sleepers());
        grown = false;
        return { ...done, differences: [...more, ...done.differences] };
      });
      if (firstReconcile) await forgetter.forgetWhere(isUnused);
      else await forgetter.forget(plan.forget);
      firstReconcile = false;
      return plan.differences;
    },
    async traffic(tap) {
      const seen = await readDeviceCounters(tap);
      if (seen === undefined) return undefined;
      // What the host sends through the TAP is what the guest receives.
      return {
        rxBytes: seen.txBytes,
        rxPackets: seen.txPackets,
        txBytes: seen.rxBytes,
        txPackets: seen.rxPackets,
      };
    },
    async remove() {
      await changes.alone(async () => {
        known.clear();
        await waker.end();
        await removeAll(names, tables, await readActual(names, tables));
      });
      await forgetter.forgetWhere(isUnused);
    },
  };
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

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
