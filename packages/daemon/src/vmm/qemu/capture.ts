/**
 * A snapshot of a machine that goes on (decision 0016). Before the pause: the pages are copied by a helper that stays, QEMU
 * opens the next disk, and what it will be asked is sent ahead. In it the helper alone works: devices, what has become
 * different, the switch of the disk. After it: all that is written to the host's disk.
 */
import { randomBytes, randomInt } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { mkdir, open, rename, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { UniError } from "@uni/contract/errors";
import { settled } from "../../base/settled.ts";
import { removeTree } from "../../host/files.ts";
import { type Conversation, converse } from "../../host/process.ts";
import { readBacking } from "../../host/qcow2.ts";
import type { Capture, CaptureTarget, DiskSpec } from "../port.ts";
import { writableDevice } from "./command-line.ts";
import { passingName } from "./passing-name.ts";
import type { Qmp } from "./qmp.ts";
import { type SleepSnapshotFiles, sleepSnapshotFiles } from "./sleep-snapshot.ts";
import { snapshotFacts, type WholeCaptures } from "./snapshot-layers.ts";
import {
  allocatedBytes,
  keepBootSnapshot,
  type Suspension,
  savingDevices,
  snapshotError,
  writeMeta,
} from "./suspend.ts";

export interface CaptureOptions extends Suspension {
  readonly whole: WholeCaptures;
}

/** The machine that is captured, as its handle lets it be seen. */
export interface CapturedMachine {
  connection(): Promise<Qmp>;
  /** Its connection if it is paused and its guest lives; else `wrong_state`. */
  pausedConnection(): Promise<Qmp>;
  /** Another capture may begin. */
  onDone(): void;
}

export class QemuCapture implements Capture {
  readonly #suspension: Suspension;
  readonly #machine: CapturedMachine;
  readonly #target: CaptureTarget;
  readonly #whole: WholeCaptures;
  readonly #nextNode = `d${randomBytes(4).toString("hex")}`;
  /** Of the file in memory into which QEMU writes its devices. */
  readonly #fileId = randomInt(2 ** 31);
  #disk = "";
  #aside = "";
  #helper: Conversation | undefined;
  #phase: "begun" | "taken" | "published" | "abandoned" = "begun";
  #standsOn: string | undefined;

  private constructor(
    { whole, ...suspension }: CaptureOptions,
    machine: CapturedMachine,
    target: CaptureTarget,
  ) {
    this.#whole = whole;
    this.#suspension = suspension;
    this.#machine = machine;
    this.#target = target;
  }

  static async begin(
    options: CaptureOptions,
    machine: CapturedMachine,
    target: CaptureTarget,
    signal: AbortSignal,
  ): Promise<QemuCapture> {
    const capture = new QemuCapture(options, machine, target);
    const onAbort = () => capture.#helper?.end();
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      await capture.#begin();
      signal.throwIfAborted();
      return capture;
    } catch (error) {
      await capture.abandon();
      signal.throwIfAborted();
      throw snapshotError(capture.#attempted, error);
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  async take(signal: AbortSignal, onRead = () => {}): Promise<void> {
    signal.throwIfAborted();
    if (this.#phase !== "begun") throw this.#refusal(`it is ${this.#phase}`);
    await this.#machine.pausedConnection();
    try {
      await this.#tell("take", "read");
      onRead();
      await this.#switched();
      this.#phase = "taken";
    } catch (error) {
      signal.throwIfAborted();
      throw snapshotError(this.#attempted, error);
    }
  }

  async publish(signal: AbortSignal): Promise<{ readonly bytes: number }> {
    signal.throwIfAborted();
    if (this.#phase !== "taken") throw this.#refusal(`it is ${this.#phase}`);
    const files = this.#files;
    try {
      await this.#tell("write", "written");
      const { directory, disk } = this.#target;
      await writeMeta(this.#suspension, files, { directory, disk, standsOn: this.#standsOn }, signal);
      const bytes = await allocatedBytes(Object.values(files));
      signal.throwIfAborted();
      await rename(this.#aside, directory);
      this.#phase = "published";
      this.#whole.remember(directory);
      this.#close();
      return { bytes };
    } catch (error) {
      signal.throwIfAborted();
      throw snapshotError(this.#attempted, error);
    }
  }

  async abandon(): Promise<void> {
    const before = this.#phase;
    if (before === "published" || before === "abandoned") return;
    this.#phase = "abandoned";
    this.#close();
    if (before === "begun" && this.#disk !== "") {
      // A machine that is gone needs no closing of a disk.
      const qmp = await this.#machine.connection().catch(() => undefined);
      await qmp?.execute("blockdev-del", { "node-name": this.#nextNode }).catch(() => {});
      await qmp?.execute("remove-fd", { "fdset-id": this.#fileId }).catch(() => {});
    }
    if (this.#aside !== "") await removeTree(this.#aside);
  }

  async #begin(): Promise<void> {
    const { directory, nextDisk } = this.#target;
    if (existsSync(directory)) throw new UniError("wrong_state", "that is there already");
    if (!existsSync(this.#suspension.places.ahead.disk)) {
      throw new UniError("wrong_state", "it was started by an earlier version of Uni", {
        hint: "Start it again, or let it sleep and wake once.",
      });
    }
    const aside = await newAside(directory);
    await mkdir(aside, { mode: 0o700 });
    this.#aside = aside;
    keepBootSnapshot(this.#suspension, sleepSnapshotFiles(directory).meta);
    const oldIndexes = this.#chooseGround();
    await settled([this.#copyPages(oldIndexes), flush(nextDisk), this.#openNextDisk(nextDisk)]);
    await this.#sendAhead();
  }

  /** A capture of a machine whose origin stands on another one itself takes the place of both. */
  #chooseGround(): string[] {
    const { origin, oldIndex } = this.#suspension;
    const own = oldIndex === undefined ? [] : [oldIndex];
    if (origin === undefined) return own;
    const facts = snapshotFacts(origin);
    if (facts === undefined) {
      throw new UniError("vmm_failed", `read ${origin}: what the machine's memory stands on is gone`);
    }
    if (facts.standsOn === undefined) {
      this.#standsOn = origin;
      return own;
    }
    return [...[facts.standsOn, origin].map((directory) => sleepSnapshotFiles(directory).index), ...own];
  }

  async #copyPages(oldIndexes: readonly string[]): Promise<void> {
    const { nativeDirectory, pid, shape, places } = this.#suspension;
    const { delta, index, state } = this.#files;
    for (const path of [delta, index, state]) await writeFile(path, "", { mode: 0o600, flag: "wx" });
    const args = [`${pid}`, `${shape.memoryMb * 2 ** 20}`, places.run, delta, index, state, ...oldIndexes];
    this.#helper = converse(join(nativeDirectory, "capture"), args);
    await this.#helper.ask();
  }

  async #openNextDisk({ path, format }: DiskSpec): Promise<void> {
    const qmp = await this.#machine.connection();
    this.#disk = await writtenDisk(qmp);
    const name = passingName(path);
    try {
      await qmp.execute("blockdev-add", {
        ...{ driver: format, "node-name": this.#nextNode, discard: "unmap", "detect-zeroes": "unmap" },
        file: { driver: "file", filename: name.path, discard: "unmap", locking: "on" },
        // What it stands on is the disk that it will be put over.
        backing: null,
      });
    } finally {
      name.remove();
    }
  }

  async #sendAhead(): Promise<void> {
    const switching = {
      execute: "blockdev-snapshot",
      arguments: { node: this.#disk, overlay: this.#nextNode },
    };
    // QEMU's name for a descriptor that it was given (add-fd in qemu-qmp-ref(7)).
    const given = { "fdset-id": this.#fileId };
    const commands = [
      { execute: "add-fd", arguments: given },
      savingDevices(`/dev/fdset/${this.#fileId}`),
      switching,
      { execute: "remove-fd", arguments: given },
    ];
    await this.#tell(["ready", ...commands.map((command) => JSON.stringify(command))].join("\n"), "ready");
  }

  /** The last step: before it nothing has changed, after it the machine writes to the next disk. */
  async #switched(): Promise<void> {
    try {
      await this.#tell(undefined, "taken");
    } catch (error) {
      // Was it done, and only the answer lost?
      const now = await this.#machine.connection().then(writtenDisk);
      if (now !== this.#nextNode) throw error;
    }
  }

  /** The next line of the helper's output, after it was told one of its commands; `answer` is the word of success. */
  async #tell(command: string | undefined, answer: string): Promise<void> {
    const said = await this.#helper?.ask(command);
    if (said?.split(" ")[0] === answer) return;
    throw new UniError("failed", said?.replace(/^failed /, "") ?? "nobody takes it");
  }

  /** The machine's handle is told once, whatever comes first. */
  #close(): void {
    this.#helper?.end();
    this.#machine.onDone();
  }

  get #attempted(): string {
    return `capture machine ${this.#suspension.id} to ${this.#target.directory}`;
  }

  #refusal(why: string): UniError {
    return new UniError("wrong_state", `${this.#attempted}: ${why}`);
  }

  get #files(): SleepSnapshotFiles {
    return sleepSnapshotFiles(this.#aside);
  }
}

/** The block node behind the one device that may be written. `query-block` describes all that it stands on, too. */
export const writtenDisk = async (qmp: Qmp): Promise<string> =>
  String(await qmp.execute("qom-get", { path: writableDevice, property: "drive" }));

/** QEMU syncs the disk when the machine is paused: what is synced before does not lengthen the pause. */
async function flush({ path }: DiskSpec): Promise<void> {
  const written = readBacking(path);
  if (written === undefined) return;
  const file = await open(written, "r");
  try {
    await file.datasync();
  } finally {
    await file.close();
  }
}

/** The path of a directory that is not there, beside the one that it becomes; those of a daemon that died are removed. */
async function newAside(directory: string): Promise<string> {
  const parent = dirname(directory);
  for (const name of readdirSync(parent)) {
    if (name.startsWith(`${basename(directory)}.aside-`)) await removeTree(join(parent, name));
  }
  return `${directory}.aside-${randomBytes(3).toString("hex")}`;
}
