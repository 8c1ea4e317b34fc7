import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Script } from "../../../../test/kit/fake-daemon.ts";
import { talk } from "../../../../test/kit/run-uni.ts";

const certificate = {
  uuid: "11111111-1111-4111-8111-111111111111",
  name: "star",
  created_at: "2026-01-31T12:00:00.000Z",
  common_name: "*.example.com",
  state: "valid",
  not_after: "2026-04-30T12:00:00.000Z",
  service_groups: [{ uuid: "22222222-2222-4222-8222-222222222222", name: "shop" }],
};
const answer = () => ({
  status: "success",
  data: { certificates: [{ status: "success", ...certificate }] },
  op_time_us: 1,
});
const info = {
  domain: "uni.localhost",
  subject: "CN=Uni",
  fingerprint: "00",
  not_after: "2036-01-01T00:00:00.000Z",
  certificate: "-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----\n",
};
const daemon: Script = {
  getCertificates: answer,
  createCertificate: answer,
  updateCertificates: answer,
  deleteCertificates: answer,
  "Ca.Get": () => info,
  "Ca.Trust": () => ({ ...info, path: "/etc/ca/uni.crt" }),
};

test("certificates are listed with their end and their users", async () => {
  const { stdout } = await talk(daemon, ["certs", "ls"]);
  assert.match(stdout, /star +\*\.example\.com +valid +2026-04-30 +shop\n/);
});

test("a certificate that is not issued says why, when it is tried again and how to try it now", async () => {
  const validation = { attempt: 6, next: "2026-02-01T00:00:00.000Z", reason: "no route. Open port 80." };
  const waiting = { ...certificate, not_after: undefined, state: "error", validation };
  const script: Script = {
    getCertificates: () => ({ ...answer(), data: { certificates: [{ status: "success", ...waiting }] } }),
    "Certificate.Renew": () => waiting,
  };
  const listed = await talk(script, ["certs", "ls"]);
  assert.match(listed.stdout, /star +\*\.example\.com +error, try 6 +- +shop\n/);
  assert.match(
    listed.stderr,
    /'star' was not issued: no route\. Open port 80\. .*2026-02-01.*uni certs renew star/,
  );
  const shown = await talk(script, ["certs", "get", "star"]);
  assert.match(shown.stdout, /last failure.*no route\. Open port 80\./);
  const renewed = await talk(script, ["certs", "renew", "star"]);
  assert.deepEqual([renewed.stdout, renewed.calls[0]?.params], ["star\n", { id: "star" }]);
});

test("add and update send the files' contents; a file that is not there is named", async () => {
  const directory = mkdtempSync(join(tmpdir(), "uni-certs-"));
  try {
    const files = ["--chain", join(directory, "chain"), "--key", join(directory, "key")];
    const missing = await talk(daemon, ["certs", "add", "--cn", "*.example.com", ...files]);
    assert.equal(missing.code, 66);
    assert.match(missing.stderr, /reading the chain '.*chain': no such file or directory/);
    writeFileSync(join(directory, "chain"), "CHAIN");
    writeFileSync(join(directory, "key"), "KEY");
    const added = await talk(daemon, ["certs", "add", "--cn", "*.example.com", "--name", "star", ...files]);
    assert.deepEqual([added.code, added.stdout], [0, "star\n"]);
    const body = { common_name: "*.example.com", chain: "CHAIN", pkey: "KEY", name: "star" };
    assert.deepEqual(added.calls[0]?.params, { body });
    const updated = await talk(daemon, ["certs", "update", certificate.uuid, ...files]);
    assert.deepEqual(updated.calls[0]?.params, {
      body: [{ uuid: certificate.uuid, chain: "CHAIN", pkey: "KEY" }],
    });
  } finally {
    rmSync(directory, { recursive: true });
  }
  assert.equal((await talk(daemon, ["certs", "rm", "star"])).stdout, "star\n");
  assert.equal((await talk(daemon, ["certs", "add", "--cn", "x.example.com"])).code, 64);
});

test("the local authority is printed, and trusted with a word on what that does not reach", async () => {
  assert.equal((await talk(daemon, ["ca", "export"])).stdout, info.certificate);
  const { stdout, stderr } = await talk(daemon, ["ca", "trust"]);
  assert.equal(stdout, "/etc/ca/uni.crt\n");
  assert.match(stderr, /trusts every certificate that CN=Uni signs[\s\S]*Firefox[\s\S]*To undo it/);
});
