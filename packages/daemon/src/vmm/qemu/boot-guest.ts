/** A guest that boots from kernel and initramfs, without disks or network: what a boot snapshot is made of. */
import { chmodSync, chownSync, closeSync, ftruncateSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { UniError } from "@uni/contract/errors";
import type { Clock } from "../../base/clock.ts";
import { waitUntilEnded } from "../../host/process-end.ts";
import { signalProcess } from "../../host/process-identity.ts";
import type { BootFiles, MachineShape } from "../port.ts";
import type { QemuArchitecture, RealAccelerator } from "./architecture.ts";
import { commandLine } from "./command-line.ts";
import { readConsole } from "./console.ts";
import { untilAborted } from "./deadline.ts";
import { hasEnded, runStateOf } from "./guest-state.ts";
import { connectLaunched, launch } from "./launch.ts";
import type { Qmp } from "./qmp.ts";

/** Just below the users of the machines. It sees nothing but our own kernel and agent. */
const bootUid = 2 ** 30 - 1;
const enoughMemoryMb = 128;

export interface BootGuestOptions {
  readonly clock: Clock;
  readonly architecture: QemuArchitecture;
  readonly program: string;
  readonly accelerator: RealAccelerator;
  readonly nativeDirectory: string;
  readonly boot: BootFiles;
  readonly shape: MachineShape;
  readonly kernelArguments: readonly string[];
  readonly awaitBooted: (agentSocket: string, signal: AbortSignal) => Promise<void>;
  /** Made here, given to the boot's user; holds `ram` afterwards. */
  readonly directory: string;
}

export interface BootingGuest {
  readonly qmp: Qmp;
  /** Resolves when the agent answers; rejects with the console's end if the guest ends or the signal comes before. */
  booted(signal: AbortSignal): Promise<void>;
  console(): Promise<string>;
  /** Ends it and waits. */
  kill(): Promise<void>;
}

export async function bootGuest(options: BootGuestOptions, signal: AbortSignal): Promise<BootingGuest> {
  const { clock, directory, boot, shape } = options;
  const ramPath = makeBootDirectory(directory, shape);
  const files = { qmp: join(directory, "qmp"), agent: join(directory, "agent") };
  const { kernelPath, initramfsPath } = boot;
  const started = await launch({
    ...options,
    attempted: `boot kernel ${boot.id}`,
    uid: bootUid,
    dieWithParent: true,
    logPath: join(directory, "qemu.log"),
    cwd: directory,
    args: commandLine({
      ...options,
      name: `uni-boot-${boot.id.slice(-12)}`,
      files,
      from: {
        kind: "boot",
        ramPath,
        kernelPath,
        initramfsPath,
        kernelArguments: options.kernelArguments,
      },
    }),
  });
  const kill = async () => {
    signalProcess(started.process, "SIGKILL");
    await waitUntilEnded(started.process, clock, 10_000);
  };
  const over = new AbortController();
  try {
    const qmp = await connectLaunched(
      started,
      files.qmp,
      clock,
      ({ name }) => {
        if (name === "SHUTDOWN" || name === "GUEST_PANICKED") over.abort(new Error("the guest ended"));
      },
      signal,
    );
    void qmp.closed.then(() => over.abort(new Error("QEMU ended")));
    const console = () => readConsole(join(directory, "console"), qmp);
    return {
      qmp,
      kill,
      console,
      async booted(deadline) {
        // The guest may have ended before we listened.
        if (hasEnded(runStateOf(await qmp.execute("query-status")))) over.abort(new Error("the guest ended"));
        const either = AbortSignal.any([deadline, over.signal]);
        try {
          await untilAborted(options.awaitBooted(files.agent, either), either);
        } catch (cause) {
          throw bootFailure(boot, shape, cause, await console().catch(() => ""));
        }
      },
    };
  } catch (error) {
    await kill();
    throw error;
  }
}

/** The sentence names the kernel's last word; its whole console is the cause, for the log. */
function bootFailure({ id }: BootFiles, shape: MachineShape, thrown: unknown, console: string): UniError {
  const why = thrown instanceof Error ? thrown.message : String(thrown);
  const cause = new Error(`${why}; its console: ${console.trim().slice(-1500) || "is empty"}`, {
    cause: thrown,
  });
  const panic = console.match(/Kernel panic - not syncing: ([^\r\n]{1,200})/)?.[1];
  // With very little memory a kernel ends before it has a console.
  const silent = console.trim() === "" && shape.memoryMb < enoughMemoryMb;
  if (silent || (panic !== undefined && /deadlocked on memory|out of memory/i.test(panic))) {
    return new UniError(
      "memory_too_small",
      `boot a guest with ${shape.memoryMb} MB: its kernel does not come up in so little (${enoughMemoryMb} MB are enough)`,
      { hint: "Give it more memory.", cause },
    );
  }
  const last = panic === undefined ? why : `${why}: kernel panic: ${panic}`;
  return new UniError("vmm_failed", `boot kernel ${id.slice(0, 12)}: ${last}`, {
    hint: "The daemon's log has the guest's console.",
    cause,
  });
}

function makeBootDirectory(directory: string, { memoryMb }: MachineShape): string {
  mkdirSync(directory, { mode: 0o700 });
  const ramPath = join(directory, "ram");
  const file = openSync(ramPath, "wx", 0o600);
  ftruncateSync(file, memoryMb * 2 ** 20);
  closeSync(file);
  for (const path of [ramPath, directory]) chownSync(path, bootUid, bootUid);
  chmodSync(directory, 0o700);
  return ramPath;
}
