/** Instances that finish what they have before they stop or sleep, and get nothing new from the edge meanwhile. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, test } from "node:test";
import { buildBusybox, daemonForFile, runScript } from "../kit/machine-test.ts";
import { runProgram } from "../kit/programs.ts";
import { until } from "../kit/until.ts";

const daemon = await daemonForFile({ env: { UNI_SLEEP_TO_DISK_AFTER: "1000" } });
const rootFile = join(daemon.directory, "root.pem");
await buildBusybox(daemon);
writeFileSync(rootFile, `${await daemon.ok(["ca", "export"])}\n`);

const fqdn = "web.uni.localhost";
/** `/cgi-bin/slow` answers once there is a file `/go`. */
const script = [
  "mkdir -p /www/cgi-bin; echo here >/www/index.html",
  "printf '#!/bin/sh\\nwhile ! [ -e /go ]; do sleep 0.1; done; printf \"content-type: text/plain\\\\n\\\\nat last\"' >/www/cgi-bin/slow",
  "chmod +x /www/cgi-bin/slow; exec httpd -f -p 8080 -h /www",
].join("\n");

async function page(path: string): Promise<string> {
  const fixed = ["-sS", "--max-time", "60", "--cacert", rootFile, "--resolve", `${fqdn}:443:127.0.0.1`];
  const { stdout } = await runProgram("curl", [...fixed, "-w", " %{http_code}", `https://${fqdn}${path}`]);
  return stdout;
}

const inspect = () => daemon.json(["inspect", "web"]);

/** A request is under way. */
async function askSlowly(): Promise<{ readonly slow: Promise<string> }> {
  await runScript(daemon, "web", script, ["-p", "443:8080", "--domain", "web"]);
  await until("it answers", async () => (await page("/")).startsWith("here"));
  const slow = page("/cgi-bin/slow");
  await until("the program has the request", async () => {
    const { stdout } = await daemon.uni(["exec", "web", "ps"]);
    return stdout.includes("slow");
  });
  return { slow };
}

beforeEach(async () => {
  await daemon.uni(["rm", "-f", "web"]);
});

for (const { verb, goal, toOthers } of [
  // Nobody else could answer it, and it can.
  { verb: "suspend", goal: "standby", toOthers: /^here\n 200$/ },
  { verb: "stop", goal: "stopped", toOthers: /No instance.* 503$/s },
]) {
  test(`${verb} with a time to drain: what is open ends well, then it is ${goal}`, async () => {
    const { slow } = await askSlowly();
    const { uuid } = await inspect();
    const { body } = await daemon.rest("PUT", `/instances/${uuid}/${verb}`, { drain_timeout_ms: 60_000 });
    assert.equal(body.data.instances[0].state, "draining");
    assert.equal((await inspect()).state, "draining");
    assert.match(await page("/"), toOthers);
    await daemon.ok(["exec", "web", "touch", "/go"]);
    assert.equal(await slow, "at last 200");
    await until(`it is ${goal}`, async () => (await inspect()).state === goal);
    if (goal === "standby") {
      await until("a request wakes it", async () => (await page("/")) === "here\n 200");
    }
  });
}

test("when the time to drain is over, it sleeps all the same", async () => {
  const { slow } = await askSlowly();
  const { uuid } = await inspect();
  await daemon.rest("PUT", `/instances/${uuid}/suspend`, { drain_timeout_ms: 500 });
  await until("it sleeps", async () => (await inspect()).state === "standby");
  await daemon.ok(["exec", "web", "touch", "/go"]);
  assert.equal(await slow, "at last 200");
});
