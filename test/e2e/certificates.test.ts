/** Uploaded certificates and the local authority of a real daemon. */
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { connect } from "node:tls";
import { issueLeaf, issueRoot } from "../../packages/daemon/src/services/issue.ts";
import { daemonForFile } from "../kit/machine-test.ts";
import { until } from "../kit/until.ts";

const uni = await daemonForFile();
const dayMs = 86_400_000;
const from = Date.now() - dayMs;
const root = await issueRoot("Test root", { notBefore: from, notAfter: from + 30 * dayMs });

async function pairFor(name: string, notAfter = from + 20 * dayMs): Promise<readonly string[]> {
  const { certificate, key } = await issueLeaf(root, name, { notBefore: from, notAfter });
  const [chainPath, keyPath] = [join(uni.directory, "chain.pem"), join(uni.directory, "key.pem")];
  writeFileSync(chainPath, certificate + root.certificate);
  writeFileSync(keyPath, key);
  return ["--chain", chainPath, "--key", keyPath];
}

test("the authority is made once, outlives the daemon, and does not show its key", async () => {
  const pem = (await uni.uni(["ca", "export"])).stdout;
  assert.ok(new X509Certificate(pem).ca);
  await uni.kill();
  await uni.start();
  assert.equal((await uni.uni(["ca", "export"])).stdout, pem);
  const key = join(uni.dataDirectory, "edge", "local-ca", "root.key");
  assert.equal(statSync(key).mode & 0o777, 0o600);
});

test("a certificate is taken with its key, outlives the daemon, is replaced and removed", async () => {
  const files = await pairFor("*.example.com");
  assert.equal(await uni.ok(["certs", "add", "--cn", "*.example.com", "--name", "star", ...files]), "star");
  const stored = join(uni.dataDirectory, "edge", "certificates");
  const [directory = ""] = readdirSync(stored);
  assert.equal(statSync(join(stored, directory, "bundle.pem")).mode & 0o777, 0o600);
  await uni.kill();
  await uni.start();
  const [listed] = await uni.json(["certs", "ls"]);
  assert.deepEqual([listed.name, listed.state], ["star", "valid"]);
  const before = listed.serial_number;
  await uni.ok(["certs", "update", "star", ...(await pairFor("*.example.com"))]);
  assert.notEqual((await uni.json(["certs", "ls"]))[0].serial_number, before);
  const wrong = await uni.uni(["certs", "update", "star", ...(await pairFor("www.example.org"))]);
  assert.equal(wrong.code, 65);
  assert.match(wrong.stderr, /is for www\.example\.org, not for \*\.example\.com/);
  await uni.ok(["certs", "rm", "star"]);
  assert.deepEqual(readdirSync(stored), []);
});

test("a key is in no log", async () => {
  const files = await pairFor("www.example.com");
  const [chain, keyPath] = [files[1] ?? "", files[3] ?? ""];
  const asChain = await uni.uni([
    "certs",
    "add",
    "--cn",
    "www.example.com",
    "--chain",
    keyPath,
    "--key",
    chain,
  ]);
  assert.equal(asChain.code, 65);
  const secret = readFileSync(keyPath, "utf8").split("\n")[1] ?? "";
  assert.ok(secret.length > 20);
  assert.ok(!readFileSync(uni.logPath, "utf8").includes(secret) && !asChain.stderr.includes(secret));
});

test("one that has ended is served, called an error, and how to replace it is said", async () => {
  const name = "old.example.com";
  await uni.ok(["certs", "add", "--cn", name, "--name", "old", ...(await pairFor(name, Date.now() + 3_000))]);
  await uni.ok(["services", "create", "shop", "-p", "443:8080", "--domain", `${name}.=old`]);
  const state = async () => (await uni.json(["certs", "ls"]))[0].state;
  await until("it has ended", async () => (await state()) === "error");
  const { stdout, stderr } = await uni.uni(["certs", "ls"]);
  assert.match(stdout, /old +old\.example\.com +error +20/);
  assert.match(stderr, /'old' ended on .*: uni certs update old/);
  const serial = (await uni.json(["certs", "ls"]))[0].serial_number;
  await until("it is served", async () => (await servedSerial(name)) === serial);
  await uni.ok(["certs", "update", "old", ...(await pairFor(name))]);
  assert.equal(await state(), "valid");
  const replaced = (await uni.json(["certs", "ls"]))[0].serial_number;
  await until("the new one is served", async () => (await servedSerial(name)) === replaced);
  await uni.ok(["services", "rm", "shop"]);
  await uni.ok(["certs", "rm", "old"]);
});

async function servedSerial(servername: string): Promise<string | undefined> {
  const socket = connect({ host: "127.0.0.1", port: 443, servername, rejectUnauthorized: false });
  try {
    await once(socket, "secureConnect");
    return socket.getPeerCertificate().serialNumber?.toLowerCase();
  } catch {
    return undefined;
  } finally {
    socket.destroy();
  }
}
