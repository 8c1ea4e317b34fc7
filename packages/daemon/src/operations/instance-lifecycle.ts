/**
 * Starting, taking over and ending the machine of an instance. Each step of `start` registers its undo where it is done;
 * a failure or an abort runs them backwards. Order: the writable layer and the network come before the VMM, which opens
 * both; the configuration is marked as sent before it is sent, so that a new daemon knows whether the program may run.
 */
import { toUniError, UniError } from "@uni/contract/errors";
import { Teardown } from "../base/teardown.ts";
import type { GuestChannel, GuestConfig } from "../guest/port.ts";
import { removeTree } from "../host/files.ts";
import type { Lifecycle, LiveInstance, StartHooks } from "../instances/lifecycle.ts";
import { knownImage } from "../instances/media.ts";
import type { InstanceRecord } from "../instances/record.ts";
import { planRoms } from "../instances/roms.ts";
import { attachmentOf } from "./attachments.ts";
import { bringMedia, findOrPull } from "./bring-media.ts";
import { guestConfig } from "./guest-config.ts";
import { createSleepLifecycle } from "./instance-sleep.ts";
import {
  connect,
  connectMs,
  findMachine,
  killMachine,
  type LifecycleDependencies,
  machineSpec,
  undoSteps,
} from "./machine.ts";
import { createPublish } from "./publish-ports.ts";
import { resolveRoms } from "./rom-contents.ts";
import { memoryOf, startFromSnapshot } from "./start-from-snapshot.ts";

/** A machine that lives is not given up soon: after the start of a daemon all of them are asked at once. */
const adoptMs = 60_000;

export function createLifecycle(deps: LifecycleDependencies): Lifecycle {
  return {
    async start(record, mode, hooks, signal) {
      const origin = memoryOf(record);
      if (origin === undefined) return startMachine(deps, record, { mode, hooks, signal });
      if (mode === "run") return startFromSnapshot(deps, record, origin, { hooks, signal });
      throw new UniError(
        "wrong_state",
        `look into instance '${record.name}': its memory waits for its start`,
        {
          hint: `Start it first: uni start ${record.name}`,
        },
      );
    },
    ...createSleepLifecycle(deps),
    adopt: (record, hooks) => adoptMachine(deps, record, hooks),
    end: (record, live) => endMachine(deps, record, live),
    publish: createPublish(deps),
    async release(live) {
      await live.channel.close();
      await live.machine.release();
    },
    async erase(record) {
      await removeTree(deps.directories.machine(record.id));
      await removeTree(deps.directories.instance(record.id));
    },
    bringMedia: (record, signal) => bringMedia(deps.images.of(record.account), record, signal),
    async resolveImage(account, given) {
      const images = deps.images.of(account);
      const { reference, image } = await findOrPull(images, given, new AbortController().signal);
      return { reference, digest: image.digest };
    },
    resolveRoms: (account, parts) => resolveRoms(deps, account, parts),
  };
}

interface StartOptions {
  readonly mode: "run" | "maintenance";
  readonly hooks: StartHooks;
  readonly signal: AbortSignal;
}

async function startMachine(
  deps: LifecycleDependencies,
  record: InstanceRecord,
  options: StartOptions,
): Promise<LiveInstance> {
  const { network, images } = deps;
  const { mode, hooks, signal } = options;
  const undo = new Teardown();
  const synced = hooks.synced();
  synced.catch(() => {}); // Awaited below, if the start comes so far.
  try {
    const image = await images.resolve(knownImage(record.spec, `start instance '${record.name}'`));
    const vmm = await deps.vmm();
    const kernel = await deps.currentKernel();
    // Whoever only looks at its files needs none, and finds them even if one cannot be mounted.
    const { machine: roms, guest } = planRoms([], mode === "run" ? record.spec.roms : []);
    const config = guestConfig(record, image.config, {
      gateway: network.gateway,
      nameservers: network.nameservers,
      mode,
      roms: guest,
      window: deps.windowOf(record),
    });
    const shape = { vcpus: record.spec.vcpus, memoryMb: record.spec.memoryMb };
    if (mode === "run") await network.checkPorts(record.spec.ports, deps.otherAttachments(record));
    await vmm.prepare(kernel.boot, shape, signal);

    const spec = await machineSpec(deps, record, { boot: kernel.boot, rootPath: image.rootPath, roms });

    const attachment = attachmentOf(network, record, mode === "run");
    // One that boots to be woken gets its route when its program listens: until then the packets are held.
    await (attachment.asleep === undefined ? network.attach(attachment) : network.prepareWake(attachment));
    await undo.add("network", () => network.detach(attachment));
    await synced;
    signal.throwIfAborted();

    const machine = await vmm.start(spec, signal);
    await undo.add("machine", () => killMachine(deps, record, machine));
    const channel = await connect(deps, machine, { logOffset: 0, ms: connectMs, signal });
    await undo.add("channel", () => channel.close());
    channel.onEvent(hooks.onEvent);
    await hooks.onProgress({
      configured: mode === "run",
      roms,
      accelerator: machine.accelerator,
      kernel: kernel.version,
      vmmStartUs: machine.timings?.startUs ?? null,
      vmmLoadUs: machine.timings?.loadUs ?? null,
      vmmReadyUs: machine.timings?.readyUs ?? null,
    });
    signal.throwIfAborted();
    await configure(channel, config, signal);
    return { machine, channel };
  } catch (error) {
    await undoSteps(deps.log, undo, { instance: record.id, what: "a start" });
    throw toUniError(error, `start instance '${record.name}'`);
  }
}

/** An agent that does not answer is not waited for when the start is cut short. */
async function configure(channel: GuestChannel, config: GuestConfig, signal: AbortSignal): Promise<void> {
  const onAbort = () => void channel.close();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await channel.configure(config);
    signal.throwIfAborted();
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

async function adoptMachine(
  deps: LifecycleDependencies,
  record: InstanceRecord,
  hooks: StartHooks,
): Promise<LiveInstance | undefined> {
  const machine = await findMachine(deps, record);
  if (machine === undefined) {
    await endMachine(deps, record, undefined);
    return undefined;
  }
  try {
    const attachment = attachmentOf(deps.network, record, true);
    if (attachment.asleep === undefined) await deps.network.attach(attachment);
    else await deps.network.prepareWake(attachment);
    // Only a guest that runs can answer.
    if (machine.paused) await machine.resume();
    const logOffset = await deps.guestLogOffset(record);
    const channel = await connect(deps, machine, { logOffset, ms: adoptMs });
    channel.onEvent(hooks.onEvent);
    return { machine, channel };
  } catch (error) {
    deps.log.error(
      { err: error, instance: record.id },
      "a machine of an earlier daemon cannot be taken over",
    );
    await killMachine(deps, record, machine);
    await endMachine(deps, record, undefined);
    return undefined;
  }
}

async function endMachine(
  deps: LifecycleDependencies,
  record: InstanceRecord,
  live: LiveInstance | undefined,
): Promise<void> {
  await live?.channel.close();
  const machine = live?.machine ?? (await findMachine(deps, record));
  await machine?.kill();
  await removeTree(deps.directories.machine(record.id));
  await removeTree(deps.directories.sleep(record.id));
  await deps.network.detach(attachmentOf(deps.network, record, true));
}
