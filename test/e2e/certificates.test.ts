/** Uploaded certificates and the local authority of a real daemon. */
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { issueLeaf, issueRoot } from "../../packages/daemon/src/services/issue.ts";
import { daemonForFile } from "../kit/machine-test.ts";

const uni = await daemonForFile();
const dayMs = 86_400_000;
const from = Date.now() - dayMs;
const root = await issueRoot("Test root", { notBefore: from, notAfter: from + 30 * dayMs });

async function pairFor(name: string): Promise<readonly string[]> {
  const { certificate, key } = await issueLeaf(root, name, { notBefore: from, notAfter: from + 20 * dayMs });
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
