/** Certificates of a real ACME server, for the names of real service groups, as curl verifies them at the edge. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { startDaemon } from "../kit/daemon.ts";
import { enterOwnNamespaces } from "../kit/own-namespaces.ts";
import { Pebble } from "../kit/pebble.ts";
import { runProgram } from "../kit/programs.ts";
import { until } from "../kit/until.ts";

enterOwnNamespaces();
const pebble = await Pebble.start({ refusedNonces: 30, blocked: ["blocked.example.com"] });
const daemon = await startDaemon({
  env: {
    UNI_ACME_DIRECTORY: pebble.url,
    UNI_ACME_CA: pebble.serverRoot,
    UNI_ACME_EMAIL: "admin@example.com",
    UNI_ACME_DNS_HOOK: pebble.dnsHook,
  },
});
after(async () => {
  for (const { name } of await daemon.json(["services", "ls"])) await daemon.ok(["services", "rm", name]);
  await pebble.remove();
  await daemon.stop();
});

const rootFile = join(daemon.directory, "root.pem");

/** The status of curl and of HTTP: a group without instances answers 503, to who trusts its certificate. */
async function get(fqdn: string, root: string): Promise<readonly [number | null, string]> {
  writeFileSync(rootFile, `${root}\n`);
  const resolve = ["--resolve", `${fqdn}:443:127.0.0.1`];
  const options = ["-sS", "--max-time", "20", "--cacert", rootFile, ...resolve, "-w", "\n%{http_code}"];
  const { code, stdout } = await runProgram("curl", [...options, `https://${fqdn}/`]);
  return [code, stdout.slice(stdout.lastIndexOf("\n") + 1)];
}
const untilTrusted = (fqdn: string, root: string) =>
  until(`${fqdn} is served with a certificate of this root`, async () => {
    const [code, status] = await get(fqdn, root);
    return code === 0 && status === "503";
  });

// biome-ignore lint/suspicious/noExplicitAny: a certificate as the CLI prints it
async function certificateOf(fqdn: string): Promise<any> {
  const all = await daemon.json(["certs", "ls"]);
  return all.find((each: { readonly common_name: string }) => each.common_name === fqdn);
}
const untilState = (fqdn: string, state: string) =>
  until(
    `the certificate of ${fqdn} is ${state}`,
    async () => (await certificateOf(fqdn))?.state === state,
    60_000,
  );

const publish = (name: string, domain: string, port = "443:8080") =>
  daemon.ok(["services", "create", name, "-p", port, "--domain", `${domain}.`]);

test("a full name gets a certificate by HTTP-01, and the local authority's until then", async () => {
  await publish("web", "www.example.com");
  const { domains } = await daemon.json(["services", "get", "web"]);
  assert.equal(domains[0].fqdn, "www.example.com");
  await untilState("www.example.com", "valid");
  const certificate = await certificateOf("www.example.com");
  assert.deepEqual(
    certificate.service_groups?.map(({ name }: { name: string }) => name),
    ["web"],
  );
  assert.equal(certificate.validation, undefined);
  assert.match(certificate.issuer, /Pebble/);
  await untilTrusted("www.example.com", await pebble.root());
  const { stdout } = await daemon.uni(["certs", "ls"]);
  assert.match(stdout, new RegExp(`www\\.example\\.com +valid +${certificate.not_after.slice(0, 10)}`));
  assert.match(
    await daemon.ok(["services", "get", "web"]),
    /www\.example\.com \(www\.example\.com-\w+: valid\)/,
  );
});

test("keys are files for root alone, and no log has them", async () => {
  const edge = join(daemon.dataDirectory, "edge");
  const [account = ""] = readdirSync(join(edge, "acme"));
  assert.equal(statSync(join(edge, "acme", account)).mode & 0o777, 0o600);
  const { uuid } = await certificateOf("www.example.com");
  assert.deepEqual(readdirSync(join(edge, "certificates", uuid)), ["bundle.pem"]);
  assert.equal(statSync(join(edge, "certificates", uuid, "bundle.pem")).mode & 0o777, 0o600);
  assert.doesNotMatch(readFileSync(daemon.logPath, "utf8"), /PRIVATE KEY/);
});

/** No route leads out of the test's network. */
const nowhere = "192.0.2.1";

test("a validation that fails says what must be reachable; renewing recovers, by TLS-ALPN-01", async () => {
  await pebble.point("api.example.com", nowhere);
  await publish("api", "api.example.com");
  await until(
    "the first try has failed",
    async () => (await certificateOf("api.example.com"))?.validation?.reason,
  );
  const { name, state, validation } = await certificateOf("api.example.com");
  assert.deepEqual([state, validation.attempt], ["pending", 2]);
  assert.match(
    validation.reason,
    /by http-01.*unreachable.*http:\/\/api\.example\.com\/\.well-known.*port 80/,
  );
  assert.match(await daemon.ok(["certs", "get", name]), /last failure.*unreachable/);
  await untilTrusted("api.example.com", await daemon.ok(["ca", "export"]));
  await pebble.point("api.example.com", "127.0.0.1");
  const before = pebble.log.length;
  await daemon.ok(["certs", "renew", name]);
  await untilState("api.example.com", "valid");
  assert.doesNotMatch(pebble.log.slice(before), /validate w\/ HTTP/);
  await untilTrusted("api.example.com", await pebble.root());
});

test("a wildcard is proved by DNS, and its record is cleared", async () => {
  await publish("star", "*.example.org");
  await untilState("*.example.org", "valid");
  await untilTrusted("any.example.org", await pebble.root());
  const acts = readFileSync(join(pebble.directory, "hook.log"), "utf8").trim().split("\n");
  assert.deepEqual(acts, ["present _acme-challenge.example.org", "cleanup _acme-challenge.example.org"]);
});

test("a name that the authority refuses says so in its words", async () => {
  await publish("blocked", "blocked.example.com");
  await until("it was refused", async () => (await certificateOf("blocked.example.com"))?.validation?.reason);
  const { validation } = await certificateOf("blocked.example.com");
  assert.match(
    validation.reason,
    /blocked\.example\.com.*\(rejectedIdentifier\).*upload a certificate instead/,
  );
  await daemon.ok(["services", "rm", "blocked"]);
  await until(
    "nobody wants it any more",
    async () => (await certificateOf("blocked.example.com")) === undefined,
  );
});

test("a daemon that is killed in the middle of a validation leaves an order that the next one finishes", async () => {
  await pebble.restart({ validationSeconds: 4 });
  const before = pebble.log.length;
  await publish("slow", "slow.example.com");
  const since = () => pebble.log.slice(before);
  await until("the validation has begun", () => /Sleeping for/.test(since()));
  await daemon.kill();
  await daemon.start();
  await untilState("slow.example.com", "valid");
  assert.equal(since().match(/Added order/g)?.length, 1);
  await untilTrusted("slow.example.com", await pebble.root());
});

test("a certificate is renewed in time, by an authority that forgot the account", async () => {
  await pebble.restart({ validitySeconds: 24 });
  const { name } = await certificateOf("www.example.com");
  await daemon.ok(["certs", "renew", name]);
  const serial = async () => (await certificateOf("www.example.com")).serial_number;
  const first = await serial();
  await until("it is renewed by hand", async () => (await serial()) !== first, 60_000);
  const second = await serial();
  await until("it is renewed by itself", async () => (await serial()) !== second, 60_000);
  await untilTrusted("www.example.com", await pebble.root());
});

test("an authority that is away changes nothing of what is served, and is named", async () => {
  await pebble.restart();
  const { name } = await certificateOf("api.example.com");
  await pebble.stop();
  await daemon.ok(["certs", "renew", name]);
  await until("the try has failed", async () => (await certificateOf("api.example.com")).validation?.reason);
  const { state, validation } = await certificateOf("api.example.com");
  assert.equal(state, "valid");
  assert.match(validation.reason, /ask the certificate authority at localhost:14000: .*--acme-directory/);
});

test("an uploaded certificate cannot be renewed, and an obtained one not replaced", async () => {
  const { name } = await certificateOf("api.example.com");
  const files = ["--chain", rootFile, "--key", rootFile];
  const refused = await daemon.refused(["certs", "update", name, ...files]);
  assert.deepEqual([refused.code, /renewed by itself/.test(refused.message)], ["wrong_state", true]);
  assert.equal((await daemon.refused(["certs", "rm", name])).code, "in_use");
});
