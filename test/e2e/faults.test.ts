/** What breaks below the daemon: the machine monitor, the guest's kernel, the disk. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { makeBusyboxRoot } from "../kit/busybox-root.ts";
import { startDaemon } from "../kit/daemon.ts";
import { buildBusybox, daemonForFile, idle, runScript } from "../kit/machine-test.ts";
import { until } from "../kit/until.ts";

const uni = await daemonForFile();
await buildBusybox(uni);

function machineOf(uuid: string): number {
  const pid = readdirSync("/proc").find((entry) => {
    if (!/^\d+$/.test(entry)) return false;
    try {
      const line = readFileSync(`/proc/${entry}/cmdline`, "utf8");
      return line.startsWith("qemu-system") || line.includes("/qemu-system") ? line.includes(uuid) : false;
    } catch {
      return false;
    }
  });
  assert.ok(pid !== undefined, `no machine monitor for ${uuid}`);
  return Number(pid);
}

const stopped = (name: string) =>
  until(`${name} is stopped`, async () => {
    const seen = await uni.json(["inspect", name]);
    return seen.state === "stopped" && seen;
  });

test("kill -9 of the machine monitor: the instance is stopped, and says why", async () => {
  await runScript(uni, "shot", idle);
  const { uuid } = await uni.json(["inspect", "shot"]);
  process.kill(machineOf(uuid), "SIGKILL");
  const detail = await stopped("shot");
  assert.match(detail.exit_reason, /\w/);
  assert.equal(detail.exit_code, undefined, "the program did not exit");
  await uni.ok(["start", "shot"]);
  assert.equal(await uni.ok(["exec", "shot", "echo", "alive"]), "alive");
  await uni.ok(["rm", "-f", "shot"]);
});

test("kill -9 of the machine monitor: with a restart policy it comes back", async () => {
  await runScript(uni, "phoenix", idle, ["--restart", "always"]);
  const { uuid } = await uni.json(["inspect", "phoenix"]);
  process.kill(machineOf(uuid), "SIGKILL");
  await until("it runs again", async () => {
    const seen = await uni.json(["inspect", "phoenix"]);
    return seen.state === "running" && seen.restart_count === 1;
  });
  await uni.ok(["rm", "-f", "phoenix"]);
});

test("a panic of the guest's kernel: the instance is stopped, and says why", async () => {
  await runScript(uni, "panicking", idle);
  await uni.uni(["exec", "panicking", "sh", "-c", "echo c >/proc/sysrq-trigger"]);
  const detail = await stopped("panicking");
  assert.match(detail.exit_reason, /panic|crash|kernel/i);
  await uni.ok(["rm", "panicking"]);
});

test("a guest that resets itself is stopped, not left", async () => {
  await runScript(uni, "resetting", idle);
  await uni.uni(["exec", "resetting", "sh", "-c", "echo b >/proc/sysrq-trigger"]);
  await stopped("resetting");
  await uni.ok(["rm", "resetting"]);
});

test("a full disk: the image is refused, nothing is left of it, and running instances go on", async () => {
  const directory = mkdtempSync(join(tmpdir(), "f-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=24m", "tmpfs", directory]);
  after(() => {
    execFileSync("umount", ["-l", directory]);
    rmdirSync(directory);
  });
  const small = await startDaemon({ directory });
  const root = join(uni.directory, "large");
  mkdirSync(root);
  makeBusyboxRoot(root);
  await small.ok(["build", root, "--rootfs", "-t", "small"]);
  await small.ok(["run", "--name", "goes-on", "small", "sh", "-c", idle]);
  const free = () => statfsSync(directory).bavail;
  const before = free();
  execFileSync("dd", ["if=/dev/urandom", `of=${join(root, "blob")}`, "bs=1M", "count=40", "status=none"]);
  const refusal = await small.refused(["build", root, "--rootfs", "-t", "large"]);
  assert.equal(refusal.code, "no_space", refusal.message);
  await until("the space is free again", () => Math.abs(free() - before) < 512);
  assert.equal(await small.ok(["exec", "goes-on", "echo", "alive"]), "alive");
  await small.ok(["rm", "-f", "goes-on"]);
  await small.ok(["shutdown", "--stop"]);
});
