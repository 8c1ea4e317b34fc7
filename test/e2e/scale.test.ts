/** A service group whose members follow its load: real clones behind the real edge. */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { buildBusybox, daemonForFile, runScript } from "../kit/machine-test.ts";
import { runProgram } from "../kit/programs.ts";
import { until } from "../kit/until.ts";

const uni = await daemonForFile();
await buildBusybox(uni);
const rootFile = join(uni.directory, "root.pem");
writeFileSync(rootFile, `${await uni.ok(["ca", "export"])}\n`);

/** A page that takes its time, so that requests are in flight. */
const slow = [
  "mkdir -p /www/cgi-bin",
  "printf '#!/bin/sh\\nsleep 2\\nprintf \"Content-Type: text/plain\\\\n\\\\nslow\\\\n\"\\n' >/www/cgi-bin/slow",
  "chmod +x /www/cgi-bin/slow",
  "echo home >/www/index.html",
  "exec httpd -f -p 8080 -h /www",
].join("\n");

let fqdn = "";
async function ask(path: string, ...more: string[]): Promise<string> {
  const options = ["-fsS", "--max-time", "30", "--cacert", rootFile, "--resolve", `${fqdn}:443:127.0.0.1`];
  return (await runProgram("curl", [...options, ...more, `https://${fqdn}${path}`])).stdout;
}

/** Of all instances, those too that are members no more and about to go. */
const names = async (): Promise<string[]> =>
  (await uni.json(["ps", "-a"])).map(({ name }: { name: string }) => name);
const sizeOf = async (): Promise<number> => (await uni.json(["scale", "get", "shop"])).size;

test("members come with the load, all answer, and they go when it is over", async () => {
  await runScript(uni, "base", slow);
  await until("base listens", async () => (await uni.json(["inspect", "base"])).net_time_us > 0);
  await uni.ok(["template", "create", "base"]);
  const shop = ["-p", "443:8080", "--domain", "shop", "--soft-limit", "1"];
  await uni.ok(["services", "create", "shop", ...shop]);
  await uni.ok(["scale", "set", "shop", "--template", "base", "--max", "3"]);
  await until("the first member", async () => (await sizeOf()) === 1);
  fqdn = (await uni.json(["services", "get", "shop"])).domains[0].fqdn;
  await until("it answers", async () => (await ask("/cgi-bin/slow")).includes("slow"));

  await uni.ok(["scale", "policy", "add", "shop", "now", "--on-demand"]);
  const answers: string[] = [];
  let busy = true;
  const clients = [1, 2, 3].map(async () => {
    while (busy) answers.push(await ask("/cgi-bin/slow"));
  });
  await until("all that are allowed", async () => (await sizeOf()) === 3).finally(() => {
    busy = false;
  });
  await Promise.all(clients);
  assert.ok(
    answers.every((answer) => answer.includes("slow")),
    answers.join(";"),
  );

  await uni.kill();
  await uni.start();
  assert.equal(await sizeOf(), 3);
  await uni.ok(["scale", "policy", "add", "shop", "quiet", "--idle", "2s"]);
  await until("one is left", async () => (await names()).length === 1);
  assert.ok((await ask("/cgi-bin/slow")).includes("slow"));
  await uni.ok(["scale", "policy", "rm", "shop", "now", "quiet"]);
});

test("a member that has served its requests is replaced without a failed one, by one with the configuration's ROM", async () => {
  const code = join(uni.directory, "code");
  mkdirSync(code);
  writeFileSync(join(code, "index.html"), "from the ROM");
  const rom = ["--rom", `name=code,dir=${code},at=/www/code`];
  await uni.ok(["scale", "set", "shop", "--template", "base", "--max", "1", ...rom]);
  const [worn] = await names();
  await uni.ok(["scale", "policy", "add", "shop", "worn", "--create", "3", "--replace"]);
  await until("the successor alone", async () => {
    assert.ok((await ask("/")).length > 0);
    const members = await names();
    return members.length === 1 && members[0] !== worn;
  });
  await uni.ok(["scale", "policy", "rm", "shop", "worn"]);
  assert.equal(await ask("/code/index.html"), "from the ROM");
  await uni.ok(["scale", "rm", "shop"]);
  await until("none is left", async () => (await names()).length === 0);
});

test("a group without members makes one for whoever asks, and tells of growth beyond its mark", async () => {
  await uni.ok(["scale", "set", "shop", "--template", "base", "--min", "0", "--max", "2"]);
  assert.equal(await sizeOf(), 0);
  assert.match(await ask("/"), /home/);
  await uni.ok(["scale", "policy", "add", "shop", "now", "--on-demand", "--high-watermark", "0.5"]);
  await until("growth is told", async () => {
    const answers = await Promise.all([1, 2].map(() => ask("/cgi-bin/slow", "-D", "-")));
    return answers.some((text) =>
      /^autoscale-info: high-watermark-crossed, n-total=2, n-max=2\r$/m.test(text),
    );
  });
  await uni.ok(["scale", "policy", "add", "shop", "quiet", "--idle", "1s"]);
  await until("none is there", async () => (await sizeOf()) === 0);
  assert.match(await ask("/"), /home/);
  await uni.ok(["scale", "rm", "shop"]);
  await until("none is left", async () => (await names()).length === 0);
  await uni.ok(["services", "rm", "shop"]);
  await uni.ok(["template", "rm", "base"]);
});
