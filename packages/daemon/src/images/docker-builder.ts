/** Builds with the docker command where an engine answers it; used where there is no buildah. */
import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../host/process.ts";
import { BuildOutput } from "./build-output.ts";
import { buildDeadlineMs } from "./buildah.ts";
import { type Builder, type BuilderRequest, dockerfileArguments } from "./builder.ts";

const probeMs = 5_000;

export function createDockerBuilder(options: { readonly command?: string } = {}): Builder {
  const docker = options.command ?? "docker";
  return {
    name: "docker",
    async unavailable() {
      try {
        const { code } = await run(docker, ["version", "--format", "{{.Server.Version}}"], {
          timeoutMs: probeMs,
        });
        return code === 0 ? undefined : "no docker engine answers";
      } catch {
        return "docker is not installed";
      }
    },
    // The engine looks for them itself, in registries too.
    has: async () => true,
    async build(request) {
      const idFile = join(request.workDirectory, "image-id");
      const archive = join(request.workDirectory, "result.tar");
      const output = new BuildOutput(request.onLine);
      const [stdout, stderr] = [output.stream(), output.stream()];
      const env = { HOME: request.workDirectory, DOCKER_BUILDKIT: "1" };
      const { signal } = request;
      const built = await run(docker, buildArguments(request, idFile), {
        signal,
        env,
        timeoutMs: buildDeadlineMs,
        keepBytes: 1 << 16,
        onStdout: stdout.push,
        onStderr: stderr.push,
      });
      stdout.end();
      stderr.end();
      if (built.code !== 0) throw output.failure(request.reference, `exit status ${built.code}`);
      const id = (await readFile(idFile, "utf8")).trim();
      try {
        const saved = await run(docker, ["save", "--output", archive, id], {
          signal,
          env,
          timeoutMs: buildDeadlineMs,
        });
        if (saved.code !== 0)
          throw output.failure(request.reference, `take the result: ${saved.stderr.trim()}`);
      } finally {
        await run(docker, ["rmi", id], { timeoutMs: 60_000, env });
      }
      return { kind: "archive", stream: createReadStream(archive) };
    },
    // The engine looks after its own cache.
    prune: async () => {},
  };
}

/** Base images that only Uni has cannot be handed to the engine: it looks for them itself and says so. */
function buildArguments(request: BuilderRequest, idFile: string): string[] {
  const args = ["build", "--progress", "plain", "--iidfile", idFile];
  if (request.noCache) args.push("--no-cache");
  return [...args, ...dockerfileArguments(request)];
}
