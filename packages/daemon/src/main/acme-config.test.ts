import assert from "node:assert/strict";
import { test } from "node:test";
import { readAcmeOptions } from "./acme-config.ts";

const directory = "https://acme.example.com/directory";

test("nothing is obtained unless a directory is named", () => {
  assert.equal(readAcmeOptions({}, {}), undefined);
  assert.equal(readAcmeOptions({}, { UNI_ACME_DIRECTORY: "" }), undefined);
  assert.throws(() => readAcmeOptions({ "acme-email": "a@example.com" }, {}), /without a directory/);
});

test("options come before the environment", () => {
  const env = { UNI_ACME_DIRECTORY: "https://other.example.com/", UNI_ACME_DNS_HOOK: "/usr/bin/hook" };
  const options = readAcmeOptions({ "acme-directory": directory, "acme-challenge": "dns-01" }, env);
  assert.deepEqual(options, {
    directory,
    email: undefined,
    caFile: undefined,
    challenge: "dns-01",
    dnsHook: "/usr/bin/hook",
    binding: undefined,
  });
});

test("what cannot work is refused at the start", () => {
  const refused: readonly (readonly [Parameters<typeof readAcmeOptions>[0], RegExp])[] = [
    [{ "acme-directory": "http://acme.example.com/" }, /no HTTPS address/],
    [{ "acme-challenge": "http-02" }, /unknown/],
    [{ "acme-challenge": "dns-01" }, /without a program/],
    [{ "acme-dns-hook": "hook" }, /no absolute path/],
    [{ "acme-email": "nobody" }, /no address/],
    [{ "acme-eab-kid": "k" }, /go together/],
  ];
  for (const [values, message] of refused) {
    assert.throws(() => readAcmeOptions({ "acme-directory": directory, ...values }, {}), {
      code: "invalid_value",
      message,
    });
  }
});
