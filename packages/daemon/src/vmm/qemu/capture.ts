/**
 * A snapshot of a machine that goes on (decision 0016). Before the pause: the pages are copied by a helper that stays, and
 * QEMU opens the next disk. In it: devices, what has become different, the switch of the disk. After it: all that is
 * written to the host's disk.
 */
import { randomBytes } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { mkdir, open, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { UniError } from "@uni/contract/errors";
import { settled } from "../../base/settled.ts";
import { removeTree } from "../../host/files.ts";
import { type Conversation, converse } from "../../host/process.ts";
import { readBacking } from "../../host/qcow2.ts";
import type { Capture, CaptureTarget, DiskSpec } from "../port.ts";
import { passingName } from "./passing-name.ts";
import type { Qmp } from "./qmp.ts";
import { type SleepSnapshotFiles, sleepSnapshotFiles } from "./sleep-snapshot.ts";
import { snapshotFacts, type WholeCaptures } from "./snapshot-layers.ts";
import {
  allocatedBytes,
  keepBootSnapshot,
  type Suspension,
  saveDevices,
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

/** Devices that change while nothing runs do so because somebody talks to the agent: a few bytes, at some moment. */
const mostTries = 10;

export class QemuCapture implements Capture {
  readonly #suspension: Suspension;
  readonly #machine: CapturedMachine;
  readonly #target: CaptureTarget;
  readonly #whole: WholeCaptures;
  readonly #nextNode = `d${randomBytes(4).toString("hex")}`;
  #disk = "";
  #aside = "";
  #helper: Conversation | undefined;
  /** Comparing costs less than saving the devices. */
  #isNoted = false;
  #phase: "begun" | "taken" | "published" | "abandoned" = "begun";
  #state: Buffer | undefined;
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
    const qmp = await this.#machine.pausedConnection();
    try {
      const state = await this.#readMachine(qmp, signal);
      onRead();
      await this.#switchDisk(qmp);
      this.#state = state;
      this.#phase = "taken";
    } catch (error) {
      signal.throwIfAborted();
      throw snapshotError(this.#attempted, error);
    }
  }

  async publish(signal: AbortSignal): Promise<{ readonly bytes: number }> {
    signal.throwIfAborted();
    if (this.#phase !== "taken" || this.#state === undefined) throw this.#refusal(`it is ${this.#phase}`);
    const files = this.#files;
    try {
      const answer = await this.#helper?.ask("write");
      if (!answer?.startsWith("written ")) throw new UniError("failed", `write ${files.delta}: ${answer}`);
      await writeFile(files.state, this.#state, { mode: 0o600 });
      const { directory, disk } = this.#target;
      await writeMeta(this.#suspension, files, { directory, disk, standsOn: this.#standsOn }, signal);
      const bytes = await allocatedBytes(Object.values(files));
      signal.throwIfAborted();
      await rename(this.#aside, directory);
      this.#phase = "published";
      this.#whole.remember(directory);
      await this.#close();
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
    await this.#close();
    if (before === "begun" && this.#disk !== "") {
      // A machine that is gone needs no closing of a disk.
      const qmp = await this.#machine.connection().catch(() => undefined);
      await qmp?.execute("blockdev-del", { "node-name": this.#nextNode }).catch(() => {});
    }
    if (this.#aside !== "") await removeTree(this.#aside);
  }

  async #begin(): Promise<void> {
    const { directory, nextDisk } = this.#target;
    if (existsSync(directory)) throw this.#refusal(`${directory} is there already`);
    const aside = await newAside(directory);
    await mkdir(aside, { mode: 0o700 });
    this.#aside = aside;
    keepBootSnapshot(this.#suspension, sleepSnapshotFiles(directory).meta);
    const oldIndexes = this.#chooseGround();
    await settled([this.#copyPages(oldIndexes), flush(nextDisk), this.#openNextDisk(nextDisk)]);
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
    const { nativeDirectory, pid, shape } = this.#suspension;
    const { delta, index } = this.#files;
    for (const path of [delta, index]) await writeFile(path, "", { mode: 0o600, flag: "wx" });
    const args = [`${pid}`, `${shape.memoryMb * 2 ** 20}`, delta, index, ...oldIndexes];
    const helper = converse(join(nativeDirectory, "capture"), args);
    this.#helper = helper;
    this.#isNoted = (await helper.ask()).startsWith("noted ");
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

  /**
   * Devices and memory of one instant. While the processors stand, what somebody sends to the agent still reaches the
   * guest's memory, and shows in its devices: then both are read again. Of the two, what costs less is read twice.
   */
  async #readMachine(qmp: Qmp, signal: AbortSignal): Promise<Buffer> {
    const save = () => saveDevices(qmp, this.#suspension);
    const compare = () => this.#helper?.ask("compare");
    let state: Buffer | undefined;
    if (this.#isNoted) await compare();
    else state = await save();
    for (let tries = 0; tries < mostTries; tries++) {
      signal.throwIfAborted();
      const before = state;
      if (!this.#isNoted) await compare();
      state = await save();
      const stands = this.#isNoted ? (await compare()) === "compared 0" : before?.equals(state);
      if (stands) return state;
    }
    throw new UniError("vmm_failed", `${this.#attempted}: its devices do not stand still`);
  }

  /** The last step: before it nothing has changed, after it the machine writes to the next disk. */
  async #switchDisk(qmp: Qmp): Promise<void> {
    try {
      await qmp.execute("blockdev-snapshot", { node: this.#disk, overlay: this.#nextNode });
    } catch (error) {
      // Was it done, and only the answer lost?
      const now = await this.#machine.connection().then(writtenDisk);
      if (now !== this.#nextNode) throw error;
    }
  }

  /** The machine's handle is told once, whatever comes first. */
  async #close(): Promise<void> {
    this.#helper?.end();
    this.#machine.onDone();
    await rm(this.#suspension.places.devices, { force: true });
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

/** The block node behind the one device that may be written. */
export async function writtenDisk(qmp: Qmp): Promise<string> {
  const answer = (await qmp.execute("query-block")) as { inserted?: { ro: boolean; "node-name": string } }[];
  const written = answer.find(({ inserted }) => inserted?.ro === false)?.inserted;
  if (written) return written["node-name"];
  throw new UniError("vmm_failed", "find the writable disk of a machine: QEMU names none");
}

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
