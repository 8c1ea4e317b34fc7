/**
 * Starts QEMU by forking one that is loaded and linked already (native/vmm/zygote.c, decision 0020): the same process that
 * `launch` makes, some 20 ms earlier. Where that cannot be had, `launch` makes it.
 */
import { UniError } from "@uni/contract/errors";
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import { type ResidentProcess, startResident } from "../../host/process.ts";
import { identify } from "../../host/process-identity.ts";
import { earlyEnd, type Launch, type Launched, launch, launcherArguments } from "./launch.ts";

export interface ZygoteOptions {
  /** QEMU. */
  readonly program: string;
  readonly preload: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** What is forked from one has the same layout of addresses: nobody gets many tries at guessing it. */
const mostMachines = 64;
/** In the process list. */
const name = "uni-zygote";
const readyWithinMs = 10_000;

interface Forked {
  readonly pid: number;
  readonly ended: Promise<void>;
}

/** One process to fork from; of no use any more once it has ended. */
class Zygote {
  readonly #process: ResidentProcess;
  readonly #ready = Promise.withResolvers<void>();
  readonly #asked: PromiseWithResolvers<Forked>[] = [];
  /** Of machines that live. */
  readonly #ends = new Map<number, () => void>();
  #forked = 0;
  #isSpent = false;

  constructor({ program, preload, clock }: ZygoteOptions) {
    this.#process = startResident(program, [], {
      argv0: name,
      env: { LD_PRELOAD: preload, UNI_ZYGOTE: name },
      favoured: false,
      onLine: (line) => this.#hear(line),
      onEnd: (reason) => this.#fail(new Error(reason)),
    });
    const late = () => this.#fail(new Error(`it is not ready within ${readyWithinMs / 1000} s`));
    const cancel = clock.after(readyWithinMs, late);
    this.#ready.promise.then(cancel, cancel);
  }

  /** A new one takes its place for the next machine. */
  get isSpent(): boolean {
    return this.#isSpent;
  }

  /** Rejects if it cannot be forked from. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  fork(args: readonly string[]): Promise<Forked> {
    const asked = Promise.withResolvers<Forked>();
    this.#asked.push(asked);
    this.#forked += 1;
    if (this.#forked >= mostMachines) this.#isSpent = true;
    const request = args.map((argument) => `${argument}\0`).join("");
    this.#process.ref();
    this.#process.write(`${Buffer.byteLength(request)}\n${request}`);
    return asked.promise;
  }

  close(): void {
    this.#isSpent = true;
    this.#process.kill();
  }

  #hear(line: string): void {
    const [word, pid, signal] = line.split(" ");
    if (word === "ready") {
      this.#ready.resolve();
      this.#process.unref();
    } else if (word === "started") {
      const ended = Promise.withResolvers<void>();
      this.#ends.set(Number(pid), ended.resolve);
      this.#asked.shift()?.resolve({ pid: Number(pid), ended: ended.promise });
      if (this.#asked.length === 0) this.#process.unref();
    } else if (word === "ended") {
      this.#ends.get(Number(pid))?.();
      this.#ends.delete(Number(pid));
      // A crash: perhaps somebody who tries addresses.
      if (signal !== "0" && signal !== "9") this.#isSpent = true;
    }
    // It goes with the last of its machines, of whose end it is to tell.
    if (this.#isSpent && this.#ends.size === 0 && this.#asked.length === 0) this.#process.kill();
  }

  #fail(error: Error): void {
    this.#isSpent = true;
    this.#ready.reject(error);
    for (const asked of this.#asked.splice(0)) asked.reject(error);
    this.#process.kill();
  }
}

export class Zygotes {
  readonly #options: ZygoteOptions;
  #current: Zygote;
  #isRefused = false;

  constructor(options: ZygoteOptions) {
    this.#options = options;
    this.#current = new Zygote(options);
  }

  async launch(options: Launch): Promise<Launched> {
    const zygote = await this.#ready();
    if (zygote === undefined) return launch(options);
    const { attempted, logPath } = options;
    const args = ["--log", logPath, "--directory", options.cwd, ...launcherArguments(options)];
    const forked = zygote.fork([...args, "--", options.program, ...options.args]);
    const { pid, ended } = await forked.catch((cause) => {
      throw new UniError("vmm_failed", `${attempted}: QEMU cannot be forked: ${cause.message}`, { cause });
    });
    if (zygote.isSpent) this.#current = new Zygote(this.#options);
    const process = identify(pid);
    if (process !== undefined) return { process, ended, attempted, logPath };
    await ended;
    throw await earlyEnd({ attempted, logPath });
  }

  close(): void {
    this.#current.close();
  }

  /** Undefined: none can be had here. */
  async #ready(): Promise<Zygote | undefined> {
    if (this.#isRefused) return undefined;
    if (this.#current.isSpent) this.#current = new Zygote(this.#options);
    const zygote = this.#current;
    try {
      await zygote.ready;
      return zygote;
    } catch (error) {
      this.#isRefused = true;
      this.#options.log.warn({ err: error }, "machines start slower: QEMU cannot be forked");
      return undefined;
    }
  }
}
