import assert from "node:assert/strict";
import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { test } from "node:test";
import { UniError } from "@uni/contract/errors";
import fc from "fast-check";
import { ManualClock } from "../base/manual-clock.ts";
import { type CertificateMaterial, checkCertificate, readBundle } from "./certificate-chain.ts";
import { issueLeaf } from "./issue.ts";
import { makeMaterial, makeRoot } from "./test-groups.ts";

const clock = new ManualClock();
const root = await makeRoot(clock);
const good = await makeMaterial(root, "www.example.com", clock);
const other = await makeMaterial(root, "www.example.com", clock);
const dayMs = 86_400_000;

test("a whole chain with its key becomes a bundle that reads the same", () => {
  const { details, bundle } = checkCertificate(good, "www.example.com", clock.now());
  assert.deepEqual(details.names, ["www.example.com"]);
  assert.match(details.subject, /CN=www\.example\.com/);
  assert.match(details.issuer, /CN=Test root, O=Uni/);
  assert.match(details.serialNumber, /^[0-9a-f]{1,64}$/);
  assert.equal(details.notAfter, clock.now() + 30 * dayMs);
  assert.deepEqual(readBundle(bundle), details);
  assert.equal(readBundle(bundle.replace(/PRIVATE KEY-----\n..../, "PRIVATE KEY-----\nAAAA")), undefined);
  assert.equal(readBundle(""), undefined);
});

test("a self-signed certificate and one without its root are taken", () => {
  const [leaf = ""] = good.chain.split(/(?<=END CERTIFICATE-----\n)/);
  checkCertificate({ ...good, chain: `# a comment\n${leaf}` }, "www.example.com", clock.now());
});

async function refusal(material: CertificateMaterial, name = "www.example.com", now = clock.now()) {
  try {
    checkCertificate(material, name, now);
  } catch (error) {
    assert.ok(error instanceof UniError);
    assert.equal(error.cause, undefined);
    return error;
  }
  assert.fail("it was taken");
}

const reversed = good.chain
  .split(/(?<=END CERTIFICATE-----\n)/)
  .toReversed()
  .join("");
const foreign = await makeRoot(clock, "Another root");
const weak = generateKeyPairSync("rsa", {
  modulusLength: 2048,
  publicKeyEncoding: { type: "spki", format: "pem" },
  privateKeyEncoding: { type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "x" },
});

/** The same certificate with the last bit of its signature turned over. */
function forged(): string {
  const der = new X509Certificate(good.chain).raw;
  der[der.length - 1] = (der.at(-1) ?? 0) ^ 1;
  return new X509Certificate(der).toString() + root.certificate;
}

const refusals: readonly [string, CertificateMaterial, RegExp][] = [
  ["another's key", { ...good, pkey: other.pkey }, /private key is not the certificate's/],
  ["no chain", { ...good, chain: "hello" }, /no PEM certificate/],
  ["a key in the chain", { ...good, chain: good.chain + good.pkey }, /holds a private key/],
  ["a forged signature", { ...good, chain: forged() }, /did not issue certificate 1/],
  ["the issuer first", { ...good, chain: reversed }, /did not issue certificate 1/],
  [
    "a foreign issuer",
    { ...good, chain: (good.chain.split(/(?<=END CERTIFICATE-----\n)/)[0] ?? "") + foreign.certificate },
    /did not issue/,
  ],
  [
    "broken base64",
    { ...good, chain: good.chain.replace(/\nMII/, "\nAII") },
    /Certificate 1 of the chain cannot be read/,
  ],
  ["too many", { ...good, chain: good.chain.repeat(6) }, /12 certificates/],
  ["no key", { ...good, pkey: "secret words" }, /private key cannot be read/],
  ["a locked key", { ...good, pkey: weak.privateKey }, /encrypted/],
];

for (const [name, material, message] of refusals) {
  test(`refused: ${name}; the key is in no message`, async () => {
    const error = await refusal(material);
    assert.match(error.message, message);
    const secret = material.pkey.split("\n")[1] ?? material.pkey;
    assert.ok(!`${error.message}${error.hint ?? ""}${error.stack}`.includes(secret));
    assert.ok(!error.message.includes("secret"));
  });
}

test("whatever is sent is refused in our words, and nothing else is thrown", async () => {
  const piece = fc.oneof(
    fc.string(),
    fc.constantFrom("-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----", "\n", "MII", "-----BEGIN "),
    fc.constantFrom("PRIVATE KEY-----\n", "EC PRIVATE KEY-----", good.chain, good.pkey.slice(0, 80)),
  );
  const text = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(""));
  await fc.assert(
    fc.asyncProperty(text, text, async (chain, pkey) => {
      const { code } = await refusal({ chain, pkey });
      assert.ok(code.startsWith("certificate_"));
      await refusal({ chain: good.chain, pkey });
    }),
    { numRuns: 200 },
  );
});

test("refused: another name, with the code for it", async () => {
  const error = await refusal(good, "example.com");
  assert.equal(error.code, "certificate_mismatch");
  assert.match(error.message, /is for www\.example\.com, not for example\.com/);
});

test("refused: expired, and not yet valid", async () => {
  assert.match((await refusal(good, "www.example.com", clock.now() + 31 * dayMs)).message, /expired on 20/);
  const early = await issueLeaf(root, "www.example.com", {
    notBefore: clock.now() + dayMs,
    notAfter: clock.now() + 2 * dayMs,
  });
  const error = await refusal({ chain: early.certificate, pkey: early.key });
  assert.match(error.message, /not valid before 20/);
});
