import assert from "node:assert/strict";
import { test } from "node:test";
import { parseServiceDomain } from "./service-domain.ts";

test("a domain is a name, with a certificate by name or uuid after an equals sign", () => {
  const uuid = "11111111-1111-4111-8111-111111111111";
  assert.deepEqual(parseServiceDomain("shop"), { name: "shop" });
  assert.deepEqual(parseServiceDomain("www.example.com.=star"), {
    name: "www.example.com.",
    certificate: { name: "star" },
  });
  assert.deepEqual(parseServiceDomain(`www.example.com.=${uuid}`).certificate, { uuid });
  for (const text of ["", "=star", "shop=", "a=b=c"]) {
    assert.throws(() => parseServiceDomain(text), { code: "malformed" });
  }
});
