/** What an instance of one account reaches of another's, and of the host: nothing but what is published. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { before, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { httpClient } from "../kit/load.ts";
import { buildBusybox, daemonForFile, runScript, serve } from "../kit/machine-test.ts";
import { makeOciArchive } from "../kit/oci-archive.ts";
import { page } from "../kit/sleepers.ts";
import { until } from "../kit/until.ts";

const uni = await daemonForFile({ env: { UNI_SLEEP_TO_DISK_AFTER: "1000" } });
await buildBusybox(uni);

/** An address for documentation (RFC 5737), on a device that every namespace has: the host's, as a guest sees it. */
const hostAddress = "192.0.2.1";
const token = "token-of-the-other-account";
let victim: { uuid: string; host: string };

/** There is no command for accounts yet: a second one is written into the store. */
async function addAccount(): Promise<void> {
  await uni.kill();
  const database = new DatabaseSync(join(uni.dataDirectory, "uni.db"));
  const account = "11111111-1111-4111-8111-111111111111";
  const hash = createHash("sha256").update(token).digest("hex");
  database.prepare("INSERT INTO accounts (id, name, created_at) VALUES (?, 'other', 1)").run(account);
  database.prepare("INSERT INTO tokens (hash, account, created_at) VALUES (?, ?, 1)").run(hash, account);
  database.close();
  await uni.start();
}

const rest = (method: string, path: string, body?: unknown) => uni.rest(method, path, body, token);
const stateOfVictim = async () => {
  const { state, sleep } = (await rest("GET", `/instances/${victim.uuid}`)).body.data.instances[0];
  return state === "standby" ? sleep.tier : state;
};

/** True when a connection from inside the attacker is taken. */
async function reaches(host: string, port: number): Promise<boolean> {
  const { code } = await uni.uni(["exec", "attacker", "nc", "-w", "2", host, `${port}`]);
  return code === 0;
}

before(async () => {
  execFileSync("ip", ["address", "add", `${hostAddress}/32`, "dev", "lo"]);
  await addAccount();
  const { status, body } = await rest("POST", "/instances", {
    name: "victim",
    image: "busybox",
    args: ["sh", "-c", serve("secret")],
    memory_mb: 128,
    autostart: true,
    scale_to_zero: { policy: "idle", cooldown_time_ms: 300, stateful: true },
  });
  assert.equal(status, 200, JSON.stringify(body));
  const { uuid, private_ip: host } = body.data.instances[0];
  victim = { uuid, host };
  await runScript(uni, "attacker", serve("attacker"), ["-p", "18080:8080"]);
  await until("the victim serves", () => page(`http://${host}:8080/`).catch(() => undefined));
});

test("another account's instance is neither seen nor changed", async () => {
  assert.deepEqual(
    (await uni.json(["ps", "-a"])).map(({ name }: { name: string }) => name),
    ["attacker"],
  );
  assert.equal((await uni.refused(["inspect", victim.uuid])).code, "not_found");
  assert.equal((await uni.refused(["rm", "-f", victim.uuid])).code, "not_found");
});

test("another account's image is not run or mounted: it is answered like one that is nowhere", async () => {
  const layers = [[{ name: "word", content: "secret" }]];
  writeFileSync(join(uni.directory, "own.tar"), makeOciArchive({ layers, config: { Cmd: ["/word"] } }));
  const name = "registry.example.com/own/x:1";
  await uni.ok(["load", join(uni.directory, "own.tar"), "--tag", name]);
  const { digest } = await uni.json(["image", "inspect", name]);
  const unknown = `sha256:${"0".repeat(64)}`;
  const requests = (image: string) => [
    { image },
    { image: { url: image, pull_policy: "never" } },
    { image: "busybox", args: ["sh"], roms: [{ name: "r", image: { url: image, pull_policy: "never" } }] },
  ];
  for (const [theirs, nowhere] of [
    [digest, unknown],
    [`${name.slice(0, -2)}@${digest}`, `${name.slice(0, -2)}@${unknown}`],
    [name, "registry.example.com/own/y:1"],
  ]) {
    // A name is recorded, and pulled at the first start.
    for (const index of theirs === digest ? [0, 1, 2] : [1, 2]) {
      const answers = await Promise.all(
        [theirs, nowhere].map((image) =>
          rest("POST", "/instances", { ...requests(image)[index], name: "thief" }),
        ),
      );
      const [one, other] = answers.map(({ status, body }, which) => {
        const { op_time_us: _, ...told } = body;
        return JSON.stringify([status, told]).replaceAll([theirs, nowhere][which], "IMAGE");
      });
      assert.equal(one, other);
      assert.match(one ?? "", /there is no such image|not here/);
    }
  }
  assert.deepEqual((await rest("GET", `/images?digest=${digest}`)).body.data.images, []);
});

test("another account's instance is not reached, and not woken", async () => {
  assert.equal(await page(`http://${victim.host}:8080/`), "secret");
  for (const tier of ["running", "paused", "disk"]) {
    if (tier === "disk") await rest("PUT", `/instances/${victim.uuid}/suspend`);
    if (tier !== "running") await until(`it is ${tier}`, async () => (await stateOfVictim()) === tier);
    assert.equal(await reaches(victim.host, 8080), false);
    const { code } = await uni.uni(["exec", "attacker", "ping", "-c", "1", "-W", "1", victim.host]);
    assert.notEqual(code, 0);
    if (tier !== "running") assert.equal(await stateOfVictim(), tier, "it sleeps on");
  }
  assert.equal(await page(`http://${victim.host}:8080/`), "secret", "the host wakes it");
});

test("the daemon, the waker, the edge's controls and other programs of the host are not reached", async () => {
  const server = createServer((socket) => socket.end());
  server.listen(0, "0.0.0.0");
  await once(server, "listening");
  const { gateway } = await uni.json(["inspect", "attacker"]);
  const ports = [(server.address() as AddressInfo).port, Number(new URL(uni.url).port)];
  try {
    for (const port of ports) {
      for (const host of [gateway, hostAddress, "127.0.0.1"]) {
        assert.equal(await reaches(host, port), false, `${host}:${port}`);
      }
    }
  } finally {
    server.close();
  }
  // What listens on TCP besides: nothing of ours but the API. Waker and edge are spoken to by files that root alone opens.
  const listening = execFileSync("ss", ["-ltnH"], { encoding: "utf8" }).trim().split("\n");
  assert.equal(listening.length, 1, listening.join("\n"));
});

test("a published port is reached by whoever asks", async () => {
  assert.equal(await reaches(hostAddress, 18_080), true);
  assert.equal(await httpClient("published", "127.0.0.1", 18_080).ask(), "attacker");
});

test("floods for nobody and pings cost no wake for each packet", async () => {
  await until("it sleeps", async () => (await stateOfVictim()) === "paused");
  const reports = async () => {
    const answer = await fetch(`${uni.url}/metrics`, { headers: { authorization: `Bearer ${uni.token}` } });
    return Number(/^uni_waker_reports (\d+)$/m.exec(await answer.text())?.[1]);
  };
  const ping = (address: string) => {
    try {
      execFileSync("busybox", ["ping", "-c", "1", "-W", "1", address], { stdio: "ignore" });
    } catch {} // Nobody need answer.
  };
  const before = await reports();
  const [a, b, c] = victim.host.split(".");
  for (const last of [200, 201, 202, 203]) ping(`${a}.${b}.${c}.${last}`);
  assert.equal(await reports(), before, "nobody is there");
  for (let round = 0; round < 4; round++) {
    ping(victim.host);
    await until("it sleeps again", async () => (await stateOfVictim()) === "paused");
    await pause(50);
  }
  assert.ok((await reports()) - before <= 2, "one wake in ten seconds by pings");
  assert.equal(await page(`http://${victim.host}:8080/`), "secret");
  await rest("DELETE", `/instances/${victim.uuid}`);
  await uni.ok(["rm", "-f", "attacker"]);
});
