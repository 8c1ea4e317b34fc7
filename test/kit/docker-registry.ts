/** Debian's docker-registry, which wants a password, on a port of the test's own network. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Running, startProgram } from "./programs.ts";
import { unpacked } from "./unpacked.ts";
import { until } from "./until.ts";

export interface DockerRegistry {
  readonly host: string;
  readonly stop: () => Promise<void>;
}

/** The user is `me`, the password `secret`: docker-registry knows bcrypt only. */
const passwords = "me:$2b$04$7tcULWEFneqOEA1k7xEfK.ei3mp01weerL6xyByeFoCYwIWa0d6ZK\n";

export async function startDockerRegistry(port: number): Promise<DockerRegistry> {
  const directory = mkdtempSync(join(tmpdir(), "registry-"));
  const at = (name: string) => join(directory, name);
  writeFileSync(at("passwords"), passwords);
  const config = {
    version: 0.1,
    log: { level: "warn" },
    storage: { filesystem: { rootdirectory: at("registry") } },
    http: { addr: `127.0.0.1:${port}`, secret: "for this test" },
    auth: { htpasswd: { realm: "tests", path: at("passwords") } },
  };
  // JSON is YAML.
  writeFileSync(at("registry.yml"), JSON.stringify(config));
  const running = startProgram(unpacked("docker-registry"), ["serve", at("registry.yml")], {
    deadlineMs: 600_000,
  });
  await until("docker-registry listens", () => listens(running, port));
  return {
    host: `127.0.0.1:${port}`,
    async stop() {
      running.child.kill("SIGTERM");
      await running.ended;
      rmSync(directory, { recursive: true });
    },
  };
}

function listens({ child, stderr }: Running, port: number): Promise<boolean> {
  if (child.exitCode !== null) throw new Error(`docker-registry ended: ${stderr()}`);
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = createConnection(port, "127.0.0.1", () => resolve(true));
  socket.once("error", () => resolve(false));
  return promise.finally(() => socket.destroy());
}
