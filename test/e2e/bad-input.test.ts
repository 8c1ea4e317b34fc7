/** Wrong requests: each a clear error with its code, and nothing left behind. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { buildBusybox, daemonForFile, idle, runScript } from "../kit/machine-test.ts";

const uni = await daemonForFile();
await buildBusybox(uni);
await runScript(uni, "there", idle);

interface Refusal {
  readonly body: unknown;
  readonly status: number;
  readonly says: RegExp;
}

const image = "busybox";
const refusals: Record<string, Refusal> = {
  "a member that nobody knows": {
    body: { image, colour: "red" },
    status: 400,
    says: /Unknown member 'colour'/,
  },
  "a number where a text belongs": { body: { image: 7 }, status: 400, says: /image/ },
  "a text where a number belongs": { body: { image, memory_mb: "much" }, status: 400, says: /memory_mb/ },
  "memory below the least": { body: { image, memory_mb: 1 }, status: 400, says: /memory_mb/ },
  "more memory than anything has": { body: { image, memory_mb: 2 ** 40 }, status: 400, says: /memory_mb/ },
  "no processor": { body: { image, vcpus: 0 }, status: 400, says: /vcpus/ },
  "a fraction of a processor": { body: { image, vcpus: 1.5 }, status: 400, says: /vcpus/ },
  "a policy that is none": {
    body: { image, restart_policy: "sometimes" },
    status: 400,
    says: /restart_policy/,
  },
  "a name with a slash": { body: { image, name: "a/b" }, status: 400, says: /name/ },
  "a name too long": { body: { image, name: "n".repeat(256) }, status: 400, says: /name/ },
  "an environment name with =": { body: { image, env: { "A=B": "c" } }, status: 400, says: /env/ },
  "a port that is none": {
    body: { image, ports: [{ host_port: 0, guest_port: 80 }] },
    status: 400,
    says: /host_port/,
  },
  "more replicas than allowed": { body: { image, replicas: 10_000 }, status: 400, says: /replicas/ },
  "no image": { body: { name: "nothing" }, status: 400, says: /image/ },
  "an image that is not there": {
    body: { image: { url: "no-such", pull_policy: "never" } },
    status: 200,
    says: /"code":"image_not_found"/,
  },
  "a feature of a later day": {
    body: { image, volumes: [{ name: "v", at: "/v" }] },
    status: 400,
    says: /volumes/,
  },
  "a notice that comes no sooner than the sleep": {
    body: { image, scale_to_zero: { policy: "on", notify_time_ms: 1000 } },
    status: 400,
    says: /notify_time_ms/,
  },
};

for (const [what, { body, status, says }] of Object.entries(refusals)) {
  test(`refused over REST: ${what}`, async () => {
    const answer = await uni.rest("POST", "/instances", body);
    assert.equal(answer.status, status, JSON.stringify(answer.body));
    assert.equal(answer.body.status, "error");
    assert.match(JSON.stringify(answer.body), says);
  });
}

test("refused over REST: no token, a wrong one, a path that is none, a body that is no JSON", async () => {
  assert.equal((await uni.rest("GET", "/instances", undefined, "wrong")).status, 401);
  assert.equal((await fetch(`${uni.url}/v1/instances`)).status, 401);
  assert.equal((await uni.rest("GET", "/no-such-thing")).status, 404);
  const headers = { authorization: `Bearer ${uni.token}`, "content-type": "application/json" };
  const answer = await fetch(`${uni.url}/v1/instances`, { method: "POST", headers, body: "{" });
  assert.equal(answer.status, 400);
});

test("refused at the prompt: a taken name", async () => {
  const refusal = await uni.refused(["run", "--name", "there", "busybox", "true"]);
  assert.equal(refusal.code, "already_exists");
  assert.match(refusal.message, /there/);
  assert.equal(refusal.status, 73);
});

test("refused at the prompt: words that mean nothing, with status 64", async () => {
  for (const args of [
    ["run", "--no-such-option", "busybox"],
    ["run", "-m", "much", "busybox"],
    ["run", "-p", "eighty", "busybox", "true"],
    ["run", "-p", "70000:80", "busybox", "true"],
    ["no-such-command"],
    ["run"],
  ]) {
    const { code, stderr } = await uni.uni(args);
    assert.equal(code, 64, `uni ${args.join(" ")}: ${code}: ${stderr}`);
    assert.notEqual(stderr, "");
  }
});

test("refused at the prompt: an instance that is not there, with status 66", async () => {
  for (const verb of ["inspect", "stop", "start", "rm", "logs"]) {
    const { status, code, message } = await uni.refused([verb, "nobody"]);
    assert.deepEqual([code, status], ["not_found", 66], verb);
    assert.match(message, /nobody/);
  }
});

test("a daemon that is not there is told, with how to start one", async () => {
  const { code, stderr } = await uni.uni(["ps"], { env: { UNI_SOCKET: `${uni.socket}.none` } });
  assert.equal(code, 69);
  assert.match(stderr, /unid/);
});

test("several names: each is handled, the failures are told, the status is the first failure's", async () => {
  const { code, stdout, stderr } = await uni.uni(["inspect", "nobody", "there"]);
  assert.equal(code, 66);
  assert.match(stderr, /nobody/);
  assert.match(stdout, /there/);
});

test("nothing was left behind by any of them", async () => {
  const rows: { name: string }[] = await uni.json(["ps", "-a"]);
  assert.deepEqual(
    rows.map(({ name }) => name),
    ["there"],
  );
});
