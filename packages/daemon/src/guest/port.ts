/**
 * Host side of the agent channel (virtio-serial). One connection per machine. The agent keeps what the host has not
 * acknowledged: log bytes (bounded; the oldest go first and are counted) and the exit report, so a daemon that was away
 * asks for everything after the offset it has stored.
 */
import type { Duplex, Readable } from "node:stream";
import type { TerminalSize } from "./terminal-size.ts";

export interface GuestNetwork {
  readonly address: string;
  readonly gateway: string;
  readonly nameservers: readonly string[];
}

export interface GuestProgram {
  /** ENTRYPOINT and CMD already merged as Docker does; argv[0] is looked up in the image's PATH by the agent. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** As in the image: "", "name", "uid", "name:group", "uid:gid"; resolved by the agent in the image's passwd and group. */
  readonly user: string;
  /** Created if missing, as Docker does. */
  readonly workingDirectory: string;
  /** Signal number for a polite stop. */
  readonly stopSignal: number;
  /** It is its controlling terminal; all that it prints is stdout. */
  readonly terminal?: TerminalSize;
  /** Its standard input is a pipe that stays open; without this, and without a terminal, it is empty. */
  readonly stdinOpen?: boolean;
}

/** A read-only EROFS disk beside the root: `/dev/ukp_rom_<name>`, and mounted if `at` is given. */
export interface GuestRom {
  readonly name: string;
  /** Absolute, neither `/uk` nor below it; made if missing. */
  readonly at?: string;
  /** Which of the machine's ROM disks (`MachineSpec.roms`) it is. One with other content is in another slot. */
  readonly slot: number;
}

/** Who a machine is. */
export interface GuestIdentity {
  /** Programs read it in `/uk/libukp/instance`. */
  readonly instance: { readonly id: string; readonly name: string };
  readonly hostname: string;
  readonly network: GuestNetwork;
  /** 32 hex digits for /etc/machine-id where the image has the file or systemd's place for it. */
  readonly machineId: string;
  /** All of them: one that is not listed is unmounted. */
  readonly roms: readonly GuestRom[];
}

export interface GuestConfig extends GuestIdentity {
  /** "maintenance" mounts the root and serves files and exec, and starts no program. */
  readonly mode: "run" | "maintenance";
  readonly program: GuestProgram;
}

/**
 * What memory is to go on as. Writes that wait return accordingly: of a "template", those to `template_instance` succeed; of
 * a "fork", the one to `fork` does, as in a child; all others belong to the machine that the memory was taken from, and fail
 * with EIO. With "rewind" the machine stays who it is.
 */
export type BecomingKind = "template" | "fork" | "branch" | "checkpoint" | "rewind";

export interface GuestBecoming extends GuestIdentity {
  readonly kind: BecomingKind;
  readonly mac: string;
}

/** Why a request of the guest's is not fulfilled; its write fails with EPERM, EAGAIN, ENOSPC or EIO. */
export type RequestFailure = "refused" | "limit" | "no_space" | "failed";

export interface ForkedChild {
  readonly id: string;
  /** What it was made from. */
  readonly snapshot: string;
  readonly createdAtMs: number;
}

export type ChildStatus = "starting" | "running" | "draining" | "stopping" | "stopped" | "template";

export interface ChildState {
  readonly id: string;
  readonly status: ChildStatus;
  /** Of one that has stopped. */
  readonly exitCode?: number;
}

export type GuestEvent =
  /** `offset` counts bytes of the program's whole output, both streams in the order they came. */
  | {
      readonly kind: "log";
      readonly stream: "stdout" | "stderr" | "system";
      readonly offset: number;
      readonly timeMs: number;
      readonly bytes: Buffer;
    }
  /** Log bytes that the guest had to drop while no host listened. */
  | { readonly kind: "log-lost"; readonly offset: number; readonly bytes: number }
  /** The program's first instruction is about to run: execve succeeded. Microseconds since `configure` was received. */
  | { readonly kind: "started"; readonly us: number }
  /** The first listening TCP port that is not loopback. Microseconds since `configure` was received. */
  | { readonly kind: "listening"; readonly port: number; readonly us: number }
  /** The kernel killed a process of the program for memory. */
  | { readonly kind: "oom"; readonly process: string; readonly rssKb: number }
  /** The program ended. `signal` is 0 if it returned. `code` is 128+signal if it was killed, as a shell says it. Repeated until acknowledged. */
  | { readonly kind: "exited"; readonly code: number; readonly signal: number; readonly oomKilled: boolean }
  /** The program could not be started: no such file (127), not executable (126), bad user. */
  | { readonly kind: "start-failed"; readonly code: number; readonly reason: string }
  /** The counter of inhibitors changed (see GuestStats); changes within some milliseconds come as one. */
  | { readonly kind: "inhibited"; readonly count: number }
  /** A program waits for this machine to become a template: `answerTemplate`, or a clone's `become`. One at a time. */
  | { readonly kind: "template-requested"; readonly request: number }
  /** Nobody waits for it any more. */
  | { readonly kind: "template-withdrawn"; readonly request: number }
  /** A program waits for a copy of this machine: `answerFork`, which the next request waits for. */
  | { readonly kind: "fork-requested"; readonly request: number };

export interface GuestExecSpec {
  readonly argv: readonly string[];
  /** Set over the program's environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Default: the program's user and working directory. */
  readonly user?: string;
  readonly workingDirectory?: string;
  readonly terminal?: TerminalSize;
}

export interface GuestExec {
  /** Writes are stdin (end() closes it); reads are stdout, and everything with a terminal. */
  readonly io: Duplex;
  readonly stderr: Readable;
  /** As in "exited": 128+signal when killed. Rejects if the channel broke. */
  readonly exitCode: Promise<number>;
  resize(rows: number, columns: number): Promise<void>;
  signal(number: number): Promise<void>;
  /** Kills it if it still runs and forgets it. */
  close(): Promise<void>;
}

/** The input of the instance's program; one at a time. What was accepted reaches the program also when this is gone. */
export interface GuestInput {
  /** Bytes that the guest accepted of whoever has the same key; undefined: it does not know the key. */
  readonly accepted: number | undefined;
  /** Resolves when no more can be written: the program ended, or the channel broke. */
  readonly over: Promise<"program" | "channel">;
  /** Resolves when it was sent, which waits for a program that does not read, or was dropped as the program has ended. */
  write(bytes: Uint8Array): Promise<void>;
  /** The program reads an end behind what was written; a terminal stays open. */
  end(): void;
  /** Nothing happens without a terminal. */
  resize(size: TerminalSize): void;
  close(): void;
}

export interface FileEntry {
  /** Relative to the requested path; "" is the path itself. No "..", no leading slash. */
  readonly path: string;
  readonly type: "file" | "directory" | "symlink" | "hardlink" | "fifo" | "char" | "block";
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtimeMs: number;
  /** Target of a symlink; earlier entry's path of a hardlink. */
  readonly target?: string;
  readonly device?: { readonly major: number; readonly minor: number };
}

export interface GuestFileReader {
  /** Entries parents first; `content` must be consumed before the next entry is taken; empty except for files. */
  entries(): AsyncIterable<{ readonly entry: FileEntry; readonly content: Readable }>;
}

export interface GuestFileWriter {
  write(entry: FileEntry, content: Readable | undefined): Promise<void>;
  finish(): Promise<void>;
  abort(): Promise<void>;
}

export interface GuestStats {
  readonly memoryTotalKb: number;
  readonly memoryAvailableKb: number;
  readonly cpuMs: number;
  readonly processes: number;
  readonly diskUsedKb: number;
  readonly diskTotalKb: number;
  /** Established TCP connections with the outside: neither by loopback nor with the machine's own address. */
  readonly connections: number;
  /** The counter in `/uk/libukp/scale_to_zero_disable`: above zero, the program asks not to be put to sleep. */
  readonly inhibitors: number;
}

export interface GuestChannel {
  /** Sent once after a restore; the room adds clock and fresh entropy itself. Resolves when the agent took it. */
  configure(config: GuestConfig): Promise<void>;
  /** Called in order; the room acknowledges an event once the handler's promise resolves. */
  onEvent(handler: (event: GuestEvent) => Promise<void> | void): void;
  /** `guest_failed` if it could not be started; the error's cause is then `{ exitCode }`: 127 no such file, 126 the rest. */
  exec(spec: GuestExecSpec): Promise<GuestExec>;
  /** Rejects with `guest_failed` if the program has neither a terminal nor an open standard input. `key`: not 0, who it is for. */
  openInput(key: bigint): Promise<GuestInput>;
  /** Signal to the program (not to PID 1). */
  signal(number: number): Promise<void>;
  /** Stop signal, then SIGKILL to all after `graceMs`; resolves when the program is gone ("exited" comes as well). */
  stop(graceMs: number): Promise<void>;
  /** Kills what is left, syncs, unmounts and resets the machine; resolves when the agent said goodbye. */
  powerOff(): Promise<void>;
  readFiles(path: string): Promise<GuestFileReader>;
  /** `path` exists as a directory: entries land in it. Otherwise its parent must exist and the single top entry gets that name (docker cp). */
  writeFiles(path: string): Promise<GuestFileWriter>;
  stats(): Promise<GuestStats>;
  /** Gives a line to whoever reads `/uk/libukp/notify`; resolves when the agent has it. Nobody need be reading. */
  notify(text: string): Promise<void>;
  /** Sets the clock, reseeds, and mounts what changed; used after every resume of the same machine. */
  refresh(roms: readonly GuestRom[]): Promise<void>;
  /**
   * The machine goes on as another, or as itself at an earlier time: the room adds clock and fresh entropy. When it resolves,
   * all of it holds, programs were told, and nothing of the machine before is under way. Safe to repeat.
   */
  become(becoming: GuestBecoming): Promise<void>;
  /** The template is not made: the writes that wait fail. A request that is no longer open is passed over. */
  answerTemplate(request: number, failure: RequestFailure): Promise<void>;
  /** The write returns, and its thread may read the child's id. A request that is no longer open is passed over. */
  answerFork(request: number, outcome: ForkedChild | RequestFailure): Promise<void>;
  /** Below `/uk/libukp/vm`. A child that the guest does not know is passed over. */
  childChanged(child: ChildState): Promise<void>;
  /** Nothing of the above reaches the guest until the returned function is called. */
  hold(): () => void;
  /** Resolves when the connection is lost or closed. */
  readonly closed: Promise<void>;
  close(): Promise<void>;
}

export interface GuestConnector {
  /**
   * Connects, resynchronises, and replays what came after `logOffset`; offsets begin at 0 with each start of the machine.
   * "anew" is for memory that is to become another's: output, events and requests from before are dropped, and offsets begin
   * at 0 again. Such a guest asks for nothing until `become`.
   */
  connect(
    socketPath: string,
    options: { logOffset: number | "anew"; signal: AbortSignal },
  ): Promise<GuestChannel>;
  /** Resolves when a freshly booted agent answers; used once per boot snapshot. Leaves no connection open. */
  awaitBooted(socketPath: string, signal: AbortSignal): Promise<void>;
}
