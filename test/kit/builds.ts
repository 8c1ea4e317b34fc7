/** Builds with the real buildah for tests, in a storage of the test's own and without a network. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createBuildahBuilder } from "../../packages/daemon/src/images/buildah.ts";
import type { BuildRequest, Image, Images } from "../../packages/daemon/src/images/port.ts";
import { stream, withStore } from "../../packages/daemon/src/images/test-room.ts";
import { makeTar, type TarMember } from "./tar-writer.ts";

export const busybox = readFileSync("/bin/busybox");
export const source = {
  kind: "context",
  dockerfile: "Dockerfile",
  buildArgs: {},
  secrets: {},
  ssh: {},
  contexts: [],
  noCache: false,
} as const;
export const request: BuildRequest = { reference: "built", source, changes: {} };
export const withSource = (change: object): BuildRequest => ({
  ...request,
  source: { ...source, ...change },
});
export const preamble = 'FROM scratch\nCOPY busybox /bin/\nSHELL ["/bin/busybox", "sh", "-c"]\n';

export const context = (dockerfile: string, ...more: TarMember[]) =>
  stream(
    makeTar([
      { name: "Dockerfile", content: dockerfile },
      { name: "busybox", content: busybox, mode: 0o755 },
      ...more,
    ]),
  );

export interface BuildRoom {
  readonly images: Images;
  readonly storage: string;
  readonly directory: string;
}

export async function withBuilder(body: (room: BuildRoom) => Promise<void>, machine = "none"): Promise<void> {
  const storage = mkdtempSync(join(tmpdir(), "uni-buildah-"));
  try {
    const builder = createBuildahBuilder({
      directory: join(storage, "own"),
      machineStorage: join(storage, machine),
    });
    await withStore(({ images, directory }) => body({ images, storage, directory }), { builders: [builder] });
  } finally {
    rmSync(storage, { recursive: true });
  }
}

/** Takes the files out of the image's root, for as long as the body runs. */
export function inRoot<T>(image: Image, body: (root: string) => T): T {
  const directory = mkdtempSync(join(tmpdir(), "uni-root-"));
  try {
    execFileSync("fsck.erofs", [`--extract=${join(directory, "x")}`, image.rootPath], { stdio: "pipe" });
    return body(join(directory, "x"));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Mounts and processes that a build could leave. */
export function leftovers(storage: string): string[] {
  const mounts = readFileSync("/proc/self/mounts", "utf8").split("\n");
  const processes = readdirSync("/proc").filter((pid) => /^\d+$/.test(pid));
  const commands = processes.map((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "latin1");
    } catch {
      return "";
    }
  });
  return [...mounts, ...commands].filter((line) => line.includes(storage));
}

export function workingContainers(storage: string): unknown[] {
  const list = join(storage, "own", "storage", "overlay-containers", "containers.json");
  return existsSync(list) ? (JSON.parse(readFileSync(list, "utf8")) as unknown[]) : [];
}
