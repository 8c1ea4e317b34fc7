/** A process whose memory is as a machine's, the files that it maps, and the deltas that are taken of it. */
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "../../..");
export const pageBytes = 4096;
/** As in native/vmm/guest-memory.h. */
export const mostRuns = 10240;

export const nativeProgram = (name: string): string => join(root, "build/vmm", name);

export interface Writer {
  readonly pid: number;
  write(page: number, text: string): Promise<void>;
  end(): Promise<void>;
}

/** Builds the writer and the native programs. */
export function buildWriter(directory: string): void {
  execFileSync("make", ["-s", "-C", join(root, "native/vmm")]);
  const source = join(import.meta.dirname, "scattered-writer.c");
  // Large files: then it maps and opens by the same functions as QEMU.
  const flags = ["-O2", "-Wall", "-Werror", "-D_GNU_SOURCE", "-D_FILE_OFFSET_BITS=64"];
  execFileSync("cc", [...flags, "-o", join(directory, "writer"), source]);
}

export async function startWriter(
  directory: string,
  ram: string,
  every: number,
  start: readonly string[] = [],
): Promise<Writer> {
  const [program = "", ...args] = [...start, join(directory, "writer"), ram, `${every}`];
  const child: ChildProcess = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
  const { stdin, stdout, pid } = child;
  assert.ok(stdin && stdout && pid);
  await once(stdout, "data");
  return {
    pid,
    async write(page, text) {
      stdin.write(`${page} ${text}\n`);
      await once(stdout, "data");
    },
    async end() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    },
  };
}

export function makeRam(directory: string, pages: number): string {
  const path = join(directory, "ram");
  writeFileSync(path, Buffer.alloc(pages * pageBytes, "r"));
  return path;
}

export interface Delta {
  readonly pages: Map<number, Buffer>;
  readonly runs: number;
}

export function readDelta(path: string, indexPath: string): Delta {
  const [delta, index] = [readFileSync(path), readFileSync(indexPath)];
  const pages = new Map<number, Buffer>();
  for (let at = 0; at < index.length; at += 8) {
    const [first, count] = [index.readUInt32LE(at), index.readUInt32LE(at + 4)];
    for (let page = first; page < first + count; page++) {
      pages.set(page, delta.subarray(pages.size * pageBytes, (pages.size + 1) * pageBytes));
    }
  }
  assert.equal(pages.size * pageBytes, delta.length);
  return { pages, runs: index.length / 8 };
}

/** The index of a delta that has these runs. */
export const indexOf = (runs: readonly (readonly [page: number, count: number])[]): Buffer =>
  Buffer.from(new Uint32Array(runs.flat()).buffer);

export const textOf = (page: Buffer | undefined): string | undefined =>
  page?.toString("latin1").replace(/\0.*$/s, "");
