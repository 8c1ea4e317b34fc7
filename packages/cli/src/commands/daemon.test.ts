import assert from "node:assert/strict";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { UniError } from "@uni/contract/errors";
import { frameKinds } from "@uni/contract/stream-frames";
import { type Script, Stream, silence, startFakeDaemon } from "../../../../test/kit/fake-daemon.ts";
import { runUni, talk } from "../../../../test/kit/run-uni.ts";
import { cliVersion } from "../version.ts";

test("without a daemon every command says how to get one", async () => {
  const missing = await runUni(["ps"], { env: { UNI_SOCKET: "/nonexistent/unid.sock" } });
  assert.equal(missing.code, 69);
  assert.match(
    missing.stderr,
    /^Error: connecting to unid at \/nonexistent\/unid\.sock: there is no such socket\n/,
  );
  assert.match(missing.stderr, /Hint: Start the daemon with bin\/unid, or set UNI_SOCKET/);
  const directory = mkdtempSync(join(tmpdir(), "uni-daemon-"));
  try {
    writeFileSync(join(directory, "plain"), "");
    const plain = await runUni(["--socket", join(directory, "plain"), "ps"]);
    assert.match(plain.stderr, /nobody is listening on it|not a socket/);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("the option for the socket wins over the environment", async () => {
  const { stderr } = await runUni(["ps", "--socket", "/nonexistent/option"], {
    env: { UNI_SOCKET: "/nonexistent/env" },
  });
  assert.match(stderr, /\/nonexistent\/option/);
});

test("version tells of this program even when there is no daemon", async () => {
  const alone = await runUni(["version", "-o", "json"], { env: { UNI_SOCKET: "/nonexistent/unid.sock" } });
  assert.deepEqual([alone.code, JSON.parse(alone.stdout)], [0, { client: cliVersion, daemon: null }]);
  const both = await talk({ "Daemon.Version": () => ({ version: "9.9" }) }, ["version"]);
  assert.equal(both.stdout, `uni   ${cliVersion}\nunid  9.9\n`);
});

test("info says that emulation is no isolation", async () => {
  const info = {
    version: "0.1.0",
    pid: 7,
    started_at: "2026-01-31T12:00:00Z",
    data_dir: "/var/lib/uni",
    socket: "/var/run/unid.sock",
    accelerator: "tcg",
    accelerator_reason: "a guest did not boot",
    vmm: { name: "qemu", version: "7.2.22" },
    host: { architecture: "x86_64", kernel: "6.1", cpus: 2, memory_mb: 4096 },
    network: { pool: "10.0.0.0/16", gateway: "169.254.1.1" },
    instances: { total: 3, running: 1 },
    images: 2,
  };
  const { stdout } = await talk({ "Daemon.Info": () => info }, ["info"]);
  assert.match(stdout, /Accelerator {2}tcg: emulation, no isolation boundary \(a guest did not boot\)/);
  assert.match(stdout, /Instances +1 running of 3/);
  assert.match(stdout, /REST API +off/);
});

test("doctor's status says whether the host is fit", async () => {
  const check = (status: string) => ({
    name: "kvm",
    status,
    message: "a guest boots",
    hint: "load the module",
  });
  const good = await talk({ "Daemon.Doctor": () => ({ healthy: true, checks: [check("ok")] }) }, ["doctor"]);
  assert.deepEqual([good.code, good.stdout], [0, "ok       kvm: a guest boots\n         load the module\n"]);
  const bad = await talk({ "Daemon.Doctor": () => ({ healthy: false, checks: [check("failed")] }) }, [
    "doctor",
  ]);
  assert.equal(bad.code, 69);
  assert.match(bad.stdout, /^FAILED {3}kvm/);
});

test("doctor --wait waits for a daemon that is about to start, and no longer", async () => {
  const directory = mkdtempSync(join(tmpdir(), "uni-daemon-"));
  const socket = join(directory, "unid.sock");
  const answer = () => ({ healthy: true, checks: [] });
  const gone = await runUni(["--socket", socket, "doctor", "--wait", "0.2"]);
  assert.equal(gone.code, 69);
  const daemon = await startFakeDaemon({ "Daemon.Doctor": answer });
  try {
    const waiting = runUni(["--socket", socket, "doctor", "--wait", "1m"], {
      onStart: () => symlinkSync(daemon.socketPath, socket),
    });
    assert.equal((await waiting).code, 0);
  } finally {
    await daemon.close();
    rmSync(directory, { recursive: true });
  }
});

test("shutdown leaves the instances unless it is told not to", async () => {
  const script = { "Daemon.Shutdown": () => ({ status: "ok" }) };
  assert.deepEqual((await talk(script, ["shutdown"])).calls[0]?.params, {});
  assert.deepEqual((await talk(script, ["shutdown", "--stop"])).calls[0]?.params, { stop_instances: true });
});

const kernel = {
  version: "6.1.0-1",
  id: "sha256:1",
  source: "distribution",
  architecture: "amd64",
  size_bytes: 12 << 20,
  installed_at: "2026-01-31T12:00:00Z",
  current: true,
  used_by: ["web"],
};

test("kernel list, use, check and rm", async () => {
  const script: Script = {
    "Kernel.List": () => [kernel, { ...kernel, version: "6.1.0-2", current: false, used_by: [] }],
    "Kernel.Use": () => kernel,
    "Kernel.Check": () => ({ installed: "6.1.0-1", latest: "6.1.0-2", update_available: true }),
    "Kernel.Remove": () => {
      throw new UniError("in_use", "removing kernel 6.1.0-1: instance 'web' booted it");
    },
  };
  const list = await talk(script, ["kernel", "list"]);
  assert.match(list.stdout, /^\* +6\.1\.0-1 +distribution .* 12\.0 MB +web\n +6\.1\.0-2 /m);
  assert.equal((await talk(script, ["kernel", "ls", "-q"])).stdout, "6.1.0-1\n6.1.0-2\n");
  assert.equal((await talk(script, ["kernel", "use", "6.1.0-1"])).stdout, "6.1.0-1\n");
  assert.match((await talk(script, ["kernel", "check"])).stdout, /Update +yes: uni kernel update/);
  const removed = await talk(script, ["kernel", "rm", "-o", "json", "6.1.0-1"]);
  assert.deepEqual([removed.code, JSON.parse(removed.stderr).error.code], [69, "in_use"]);
});

test("kernel build shows its progress and then the version", async () => {
  const script = {
    "Kernel.Build": () =>
      new Stream(async (peer) => {
        peer.sendJson(frameKinds.progress, { step: "compile", message: "compiling", current: 1, total: 9 });
        peer.sendJson(frameKinds.progress, { step: "compile", message: "compiling", current: 2, total: 9 });
        peer.sendJson(frameKinds.progress, { step: "pack", message: "packing" });
        return kernel;
      }),
  };
  const { stdout, stderr } = await talk(script, ["kernel", "build"]);
  assert.deepEqual([stdout, stderr], ["6.1.0-1\n", "compiling\npacking\n"]);
  const json = await talk(script, ["kernel", "build", "-o", "json"]);
  assert.deepEqual([JSON.parse(json.stdout), json.stderr], [kernel, ""]);
});

test("api calls an operation by method and path", async () => {
  const envelope = { status: "success", data: { instances: [] }, op_time_us: 3 };
  const script: Script = {
    getInstances: () => envelope,
    stopInstanceByUuid: () => ({ ...envelope, status: "error" }),
  };
  const list = await talk(script, ["api", "get", "/v1/instances?count=10&tags=a&tags=b&details=false"]);
  assert.deepEqual(list.calls[0]?.params, { count: 10, tags: ["a", "b"], details: false });
  assert.deepEqual([list.code, JSON.parse(list.stdout)], [0, envelope]);
  const log = await talk(script, ["api", "GET", "/v1/instances/log?name=a&offset=-5"]);
  assert.deepEqual(log.calls[0], { method: "getInstanceLogs", params: { name: ["a"], offset: [-5] } });
  const stop = await talk(script, ["api", "PUT", "/v1/instances/x/stop", '{"force": true}']);
  assert.deepEqual([stop.code, stop.calls[0]?.params], [1, { uuid: "x", body: { force: true } }]);
  assert.equal((await talk(script, ["api", "GET", "/v1/nothing"])).code, 64);
  assert.equal((await talk(script, ["api", "PUT", "/v1/instances/stop", "{"])).code, 64);
});

test("a method that an older daemon does not know is explained", async () => {
  const { code, stderr } = await talk({}, ["info"]);
  assert.equal(code, 64);
  assert.match(stderr, /does not know this method\nHint: The daemon is of another version/);
});

test("Ctrl-C while the daemon is silent ends with 130", async () => {
  let interrupt = () => {};
  const script = {
    "Daemon.Doctor": () => {
      interrupt();
      return silence;
    },
  };
  const { code, stderr } = await talk(script, ["doctor"], {
    onStart: (child) => {
      interrupt = () => child.kill("SIGINT");
    },
  });
  assert.deepEqual([code, stderr], [130, ""]);
});
