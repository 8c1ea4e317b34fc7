/** What every end-to-end file opens with: its own namespaces, one daemon, and the small image. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after } from "node:test";
import { makeBusyboxRoot } from "./busybox-root.ts";
import { type DaemonOptions, startDaemon, type TestDaemon } from "./daemon.ts";
import { enterOwnNamespaces } from "./own-namespaces.ts";

/** One daemon for the file, stopped and checked for leftovers after its last test. */
export async function daemonForFile(options: DaemonOptions = {}): Promise<TestDaemon> {
  enterOwnNamespaces();
  const daemon = await startDaemon(options);
  after(() => daemon.stop());
  return daemon;
}

/** The image `busybox`: a static busybox and a shell, no entry point, and no command unless `options` give one. */
export async function buildBusybox(daemon: TestDaemon, options: readonly string[] = []): Promise<void> {
  const directory = join(daemon.directory, "busybox");
  mkdirSync(directory);
  makeBusyboxRoot(directory);
  await daemon.ok(["build", directory, "--rootfs", "-t", "busybox", ...options]);
}

/** Runs `script` by the shell of the busybox image, detached, and returns the instance's name. */
export function runScript(
  daemon: TestDaemon,
  name: string,
  script: string,
  options: readonly string[] = [],
): Promise<string> {
  return daemon.ok(["run", "--name", name, ...options, "busybox", "sh", "-c", script]);
}

const removals: Readonly<Record<string, readonly string[]>> = {
  "/instances": ["rm", "-f"],
  "/instances/templates": ["template", "rm"],
  "/instances/checkpoints": ["checkpoint", "rm"],
};

/** Removes every instance, template and checkpoint, but for those of these names. */
export async function removeAll(daemon: TestDaemon, but: readonly string[] = []): Promise<void> {
  for (const [path, remove] of Object.entries(removals)) {
    const { body } = await daemon.rest("GET", `${path}?details=false`);
    const names: string[] = body.data.instances.map(({ name }: { name: string }) => name);
    const others = names.filter((name) => !but.includes(name));
    if (others.length > 0) await daemon.ok([...remove, ...others]);
  }
}

/** Runs until it is stopped, and ends with 0 at SIGTERM: a shell would wait for its sleep to end first. */
export const idle = "trap 'exit 0' TERM; while :; do sleep 1000 & wait $!; done";

/** Serves one page on port 8080. */
export const serve = (page: string): string =>
  `mkdir -p /www && echo '${page}' >/www/index.html && exec httpd -f -p 8080 -h /www`;
