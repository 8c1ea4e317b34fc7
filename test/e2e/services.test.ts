/** Services at the edge: real machines behind the real HAProxy, with curl as the client. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { buildBusybox, daemonForFile, runScript, serve } from "../kit/machine-test.ts";
import { runProgram } from "../kit/programs.ts";
import { until } from "../kit/until.ts";

const daemon = await daemonForFile();
const rootFile = join(daemon.directory, "root.pem");

before(async () => {
  await buildBusybox(daemon);
  writeFileSync(rootFile, `${await daemon.ok(["ca", "export"])}\n`);
});

after(async () => {
  await daemon.uni(["rm", "-f", "one", "two"]);
});

interface Fetched {
  readonly status: number;
  readonly body: string;
}

async function fetchFrom(fqdn: string, path = "/"): Promise<Fetched> {
  const resolve = ["--resolve", `${fqdn}:443:127.0.0.1`, "--resolve", `${fqdn}:80:127.0.0.1`];
  const options = ["-sS", "-L", "--max-time", "30", "--cacert", rootFile, ...resolve];
  const format = ["-w", "\n%{http_code}"];
  const { code, stdout, stderr } = await runProgram("curl", [...options, ...format, `http://${fqdn}${path}`]);
  assert.equal(code, 0, stderr);
  const end = stdout.lastIndexOf("\n");
  return { status: Number(stdout.slice(end + 1)), body: stdout.slice(0, end) };
}

const fqdnOf = async (name: string): Promise<string> =>
  (await daemon.json(["inspect", name])).service_group.domains[0].fqdn;

test("an instance with published services answers under its name, with a certificate of the local authority", async () => {
  await runScript(daemon, "one", serve("page one"), ["-p", "443:8080", "--domain", "shop"]);
  const fqdn = await fqdnOf("one");
  assert.match(fqdn, /^shop\./);
  await until("the page", async () => (await fetchFrom(fqdn)).body.includes("page one"));
});

test("a port of the edge is refused to instances, and one of an instance to the edge", async () => {
  const taken = await daemon.refused([
    "run",
    "-d",
    "--name",
    "two",
    "-p",
    "127.0.0.1:443:8080",
    "busybox",
    "true",
  ]);
  assert.equal(taken.code, "port_in_use");
  assert.match(taken.message, /haproxy/);
  await daemon.uni(["rm", "-f", "two"]);
  await runScript(daemon, "two", serve("page two"), ["-p", "127.0.0.1:9000:8080"]);
  const refused = await daemon.refused(["services", "create", "raw", "-p", "9000:8080/tls"]);
  assert.equal(refused.code, "port_in_use");
  assert.match(refused.message, /instance 'two'/);
  await daemon.ok(["rm", "-f", "two"]);
});

test("the edge serves while the daemon is away, and the next daemon goes on with it", async () => {
  const fqdn = await fqdnOf("one");
  await daemon.kill();
  assert.match((await fetchFrom(fqdn)).body, /page one/);
  await daemon.start();
  assert.match((await fetchFrom(fqdn)).body, /page one/);
});

test("the group goes with its last instance, and its name leads nowhere", async () => {
  const fqdn = await fqdnOf("one");
  await daemon.ok(["rm", "-f", "one"]);
  assert.deepEqual(await daemon.json(["services", "ls"]), []);
  await runScript(daemon, "two", serve("page two"), ["-p", "443:8080", "--domain", "other"]);
  await until("the other page", async () => (await fetchFrom(await fqdnOf("two"))).body.includes("page two"));
  const { stdout } = await runProgram("curl", [
    ...[
      "-sS",
      "--cacert",
      rootFile,
      "--resolve",
      `${fqdn}:443:127.0.0.1`,
      "-w",
      "%{http_code}",
      `https://${fqdn}/`,
    ],
  ]);
  assert.match(stdout, /Service not found.*404$/s);
});

test("a sleeper is woken by a request through the edge", async () => {
  const fqdn = await fqdnOf("two");
  await daemon.ok(["suspend", "two"]);
  assert.equal((await daemon.json(["inspect", "two"])).state, "standby");
  assert.match((await fetchFrom(fqdn)).body, /page two/);
  await daemon.ok(["rm", "-f", "two"]);
});
