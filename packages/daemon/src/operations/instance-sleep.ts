/**
 * The steps of sleep, in the order of decision 0011. Falling asleep: first the route goes, so that no packet can miss the
 * waker, then the processors stand. Waking: the route comes last, and with it the packets that were held.
 */
import { toUniError, UniError } from "@uni/contract/errors";
import { Laps } from "../base/laps.ts";
import { Teardown } from "../base/teardown.ts";
import { removeTree } from "../host/files.ts";
import type { LiveInstance, SleepLifecycle, StartHooks } from "../instances/lifecycle.ts";
import { knownImage } from "../instances/media.ts";
import type { InstanceRecord } from "../instances/record.ts";
import { planRoms } from "../instances/roms.ts";
import type { Attachment } from "../network/port.ts";
import { attachmentOf } from "./attachments.ts";
import {
  connect,
  connectMs,
  findMachine,
  killMachine,
  type LifecycleDependencies,
  machineSpec,
  undoSteps,
} from "./machine.ts";

export function createSleepLifecycle(deps: LifecycleDependencies): SleepLifecycle {
  const { network, directories } = deps;
  const attached = (record: InstanceRecord, asleep?: Attachment["asleep"]): Attachment => {
    const { asleep: _, ...awake } = attachmentOf(network, record, true);
    return asleep === undefined ? awake : { ...awake, asleep };
  };
  const deliver = async (record: InstanceRecord) => {
    await network.wake(attached(record));
    // Those too that came in the meantime; nobody waits for this.
    void deps.noteWake(record.id);
  };
  return {
    hold: (record) => network.sleep(attached(record, "paused")),
    async pause(record, live, stillIdle, signal) {
      const laps = new Laps(deps.clock);
      await network.sleep(attached(record, "paused"));
      laps.lap("held");
      if (signal.aborted || !(await stillIdle())) return false;
      laps.lap("asked");
      await live.machine.pause();
      laps.lap("paused");
      deps.log.debug({ instance: record.id, us: laps.us }, "an instance stands still");
      return !signal.aborted;
    },
    async unpause(record, { machine, channel }) {
      const laps = new Laps(deps.clock);
      const noted = deps.noteWake(record.id);
      // Said first: what the agent has to do waits for it when its processors go on.
      const { guest } = planRoms(record.status.roms, record.spec.roms);
      const refreshed = channel.refresh(guest).catch((error) => Promise.reject(romsRefused(record, error)));
      refreshed.catch(() => {}); // Awaited below, if the machine goes on.
      if (machine.paused) await machine.resume();
      laps.lap("resumed");
      await Promise.all([refreshed, noted]);
      laps.lap("refreshed");
      await deliver(record);
      laps.lap("admitted");
      deps.log.debug({ instance: record.id, us: laps.us }, "a sleeper goes on");
    },
    async toDisk(record, live, signal) {
      const machine = live?.machine ?? (await findMachine(deps, record));
      try {
        const laps = new Laps(deps.clock);
        const written = await machine?.suspend(directories.sleep(record.id), signal);
        laps.lap("written");
        deps.log.debug({ instance: record.id, us: laps.us, ...written }, "a sleeper is on the disk");
      } finally {
        if (live === undefined) await machine?.release();
      }
    },
    async leave(record, live) {
      await live?.channel.close();
      const machine = live?.machine ?? (await findMachine(deps, record));
      await machine?.kill();
      await removeTree(directories.machine(record.id));
      await network.sleep(attached(record, "disk"));
    },
    fromDisk: (record, hooks, signal) => resumeMachine(deps, record, { hooks, signal }),
    checkSnapshot: async ({ id }) => (await deps.vmm()).checkSnapshot(directories.sleep(id)).state,
    async findPaused(record) {
      const machine = await findMachine(deps, record);
      await machine?.release();
      await removeTree(directories.sleep(record.id));
      return machine !== undefined;
    },
    async admitPackets(record) {
      await deps.noteWake(record.id);
      await deliver(record);
    },
  };
}

/** All that a guest that lives may say no to. */
function romsRefused({ name }: InstanceRecord, thrown: unknown): unknown {
  if (!(thrown instanceof UniError) || thrown.code !== "guest_failed") return thrown;
  return new UniError("rom_unusable", `give instance '${name}' its ROMs: ${thrown.message}`, {
    cause: thrown,
  });
}

/**
 * Before its first instruction the record says "paused": from then on its disk moves away from what the snapshot knows, and
 * a daemon that comes back must not resume that again.
 */
async function resumeMachine(
  deps: LifecycleDependencies,
  record: InstanceRecord,
  { hooks, signal }: { readonly hooks: StartHooks; readonly signal: AbortSignal },
): Promise<LiveInstance> {
  const undo = new Teardown();
  try {
    const laps = new Laps(deps.clock);
    const vmm = await deps.vmm();
    const image = await deps.images.resolve(knownImage(record.spec, `resume instance '${record.name}'`));
    const { boot } = await (record.status.kernel === null
      ? deps.currentKernel()
      : deps.kernelOf(record.status.kernel));
    // Those that its memory knows stay for this run: programs may have them open.
    const { machine: roms } = planRoms(record.status.roms, record.spec.roms);
    const spec = await machineSpec(deps, record, { boot, rootPath: image.rootPath, roms });
    const attachment = attachmentOf(deps.network, record, true);
    await deps.network.prepareWake(attachment);
    laps.lap("attached");
    await undo.add("network", () => deps.network.sleep({ ...attachment, asleep: "disk" }));
    const machine = await vmm.resume(spec, deps.directories.sleep(record.id), signal);
    await undo.add("machine", () => killMachine(deps, record, machine));
    laps.lap("loaded");
    const { sleep } = record.status;
    const logOffset = await deps.guestLogOffset(record);
    signal.throwIfAborted();
    await hooks.onProgress({ sleep: sleep === null ? null : { ...sleep, tier: "paused" }, roms });
    await machine.resume();
    laps.lap("resumed");
    const channel = await connect(deps, machine, { logOffset, ms: connectMs, signal });
    laps.lap("reached");
    deps.log.debug(
      { instance: record.id, us: laps.us, process: machine.timings },
      "a sleeper is off the disk",
    );
    channel.onEvent(hooks.onEvent);
    return { machine, channel };
  } catch (error) {
    await undoSteps(deps.log, undo, { instance: record.id, what: "a wake" });
    throw toUniError(error, `wake instance '${record.name}'`);
  }
}
