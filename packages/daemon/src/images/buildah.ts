/**
 * Builds with buildah. Its storage is ours alone (images, cache and working containers of this data directory), and the
 * machine's own container storage is underneath it, read-only: base images that are there can be used, and nothing of
 * ours appears there. It asks no registry: what is missing is pulled before, by the room's own rules.
 */
import { readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { UniError } from "@uni/contract/errors";
import { runContained } from "../host/contained-process.ts";
import { ensureDirectory, readTextIfExists, removeTree } from "../host/files.ts";
import { type RunOptions, type RunResult, run } from "../host/process.ts";
import { BuildOutput } from "./build-output.ts";
import { storageHas } from "./buildah-storage.ts";
import { type BaseImage, type Builder, type BuilderRequest, dockerfileArguments } from "./builder.ts";
import { pathExists } from "./path-exists.ts";

export interface BuildahOptions {
  readonly directory: string;
  /** The machine's own container storage. */
  readonly machineStorage?: string;
}

const housekeepingMs = 60_000;
const handOverMs = 10 * 60_000;
/** A build may compile for long, but not for ever. */
export const buildDeadlineMs = 3 * 3600_000;

export function createBuildahBuilder(options: BuildahOptions): Builder {
  const storage = join(options.directory, "storage");
  const machineStorage = options.machineStorage ?? "/var/lib/containers/storage";
  let running = 0;
  /** Work on the whole storage: begun only while no build runs, and awaited by every build that begins meanwhile. */
  let housekeeping: Promise<void> = Promise.resolve();

  const buildah = async (
    args: readonly string[],
    workDirectory: string,
    how: RunOptions,
  ): Promise<RunResult> => {
    const global = await globalArguments(storage, join(options.directory, "run"), machineStorage);
    // buildah and what it calls write to HOME and TMPDIR: both go with the build.
    const env = { HOME: workDirectory, TMPDIR: workDirectory };
    return runContained("buildah", [...global, ...args], { keepBytes: 1 << 16, env, ...how });
  };

  const removeContainers = async (workDirectory: string): Promise<void> => {
    if (!(await hasContainers(storage))) return;
    await buildah(["rm", "--all"], workDirectory, { timeoutMs: housekeepingMs });
  };

  const keepHouse = (work: () => Promise<void>): Promise<void> => {
    if (running > 0) return Promise.resolve();
    housekeeping = housekeeping.then(work);
    const done = housekeeping;
    housekeeping = done.catch(() => {});
    return done;
  };

  const build = async (request: BuilderRequest): Promise<{ kind: "directory"; path: string }> => {
    const { workDirectory, signal } = request;
    for (const base of request.baseImages) await provide(base, request, buildah);
    const idFile = join(workDirectory, "image-id");
    const output = new BuildOutput(request.onLine);
    const [stdout, stderr] = [output.stream(), output.stream()];
    const result = await buildah(buildArguments(request, idFile), workDirectory, {
      signal,
      timeoutMs: buildDeadlineMs,
      onStdout: stdout.push,
      onStderr: stderr.push,
    });
    stdout.end();
    stderr.end();
    if (result.code !== 0) throw output.failure(request.reference, describeEnd(result));
    const path = join(workDirectory, "result");
    const id = (await readFile(idFile, "utf8")).trim();
    // Of the transports only `dir:` leaves the layers as they are, and compressing them would be wasted work.
    const pushed = await buildah(
      ["push", "--quiet", "--disable-compression", id, `dir:${path}`],
      workDirectory,
      {
        signal,
        timeoutMs: handOverMs,
      },
    );
    if (pushed.code !== 0)
      throw output.failure(request.reference, `take the result: ${pushed.stderr.trim()}`);
    return { kind: "directory", path };
  };

  return {
    name: "buildah",
    unavailable: () => versionProblem("buildah"),
    has: (reference) => storageHas([storage, machineStorage], reference),
    async build(request) {
      running++;
      try {
        await housekeeping;
        await ensureDirectory(options.directory, 0o700);
        return await build(request).catch(async (error: unknown) => {
          if (running > 1 || !isDamaged(error)) throw error;
          await removeTree(storage);
          return build(request);
        });
      } finally {
        running--;
        await keepHouse(() => removeContainers(request.workDirectory));
      }
    },
    async prune({ cache }) {
      if (!(await pathExists(storage))) return;
      await keepHouse(() => (cache ? removeTree(options.directory) : removeContainers(options.directory)));
    },
  };
}

/** Our cache stands on layers of the machine's storage. When somebody removes those, it is of no use any more. */
const isDamaged = (error: unknown): boolean =>
  error instanceof UniError && error.message.includes("layer not known");

async function globalArguments(
  storage: string,
  runDirectory: string,
  machineStorage: string,
): Promise<string[]> {
  // Layers of two drivers do not go together: the machine's storage, if there is one, decides.
  const driver =
    (await pathExists(join(machineStorage, "vfs-images"))) &&
    !(await pathExists(join(machineStorage, "overlay-images")))
      ? "vfs"
      : "overlay";
  const below = (await pathExists(join(machineStorage, `${driver}-images`)))
    ? ["--storage-opt", `${driver}.imagestore=${machineStorage}`]
    : [];
  return ["--root", storage, "--runroot", runDirectory, "--storage-driver", driver, ...below];
}

function buildArguments(request: BuilderRequest, idFile: string): string[] {
  // In the OCI format buildah ignores SHELL, and with it what such a Dockerfile's RUN lines mean.
  const args = ["bud", "--isolation", "chroot", "--pull-never", "--force-rm", "--format", "docker"];
  args.push(request.noCache ? "--no-cache" : "--layers", "--iidfile", idFile);
  return [...args, ...dockerfileArguments(request)];
}

type Buildah = (args: readonly string[], workDirectory: string, how: RunOptions) => Promise<RunResult>;

/** Brings one of Uni's images into the storage, under the name that a Dockerfile's short name is looked up as first. */
async function provide(base: BaseImage, request: BuilderRequest, buildah: Buildah): Promise<void> {
  const { signal, workDirectory } = request;
  const how = { signal, timeoutMs: handOverMs };
  const first = base.reference.split("/")[0] ?? "";
  const qualified = base.reference.includes("/") && /[.:]|^localhost$/.test(first);
  const name = qualified ? base.reference : `localhost/${base.reference}`;
  // Named by a relative path, since buildah makes a tag of it, which must be lower case and have no odd characters.
  const [place, layout] = [dirname(base.directory), basename(base.directory)];
  const pulled = await buildah(["pull", "--quiet", `dir:${layout}`], workDirectory, { ...how, cwd: place });
  const id = pulled.stdout.toString().trim();
  const tagged = pulled.code === 0 ? await buildah(["tag", id, name], workDirectory, how) : pulled;
  await buildah(["rmi", `localhost/${layout}`], workDirectory, how);
  if (tagged.code === 0) return;
  throw new UniError(
    "build_failed",
    `take base image "${base.reference}" for a build: ${tagged.stderr.trim()}`,
  );
}

/** Says it without starting buildah, which takes longer than most housekeeping has to do. */
async function hasContainers(storage: string): Promise<boolean> {
  for (const driver of ["overlay", "vfs"]) {
    const list = await readTextIfExists(join(storage, `${driver}-containers`, "containers.json"));
    if (list !== undefined && list.trim() !== "[]" && list.trim() !== "") return true;
  }
  return false;
}

export async function versionProblem(command: string): Promise<string | undefined> {
  try {
    const { code } = await run(command, ["--version"], { timeoutMs: 10_000 });
    return code === 0 ? undefined : `${command} does not work`;
  } catch {
    return `${command} is not installed`;
  }
}

function describeEnd({ code, signal }: RunResult): string {
  return signal === null ? `exit status ${code}` : `killed by ${signal}`;
}
