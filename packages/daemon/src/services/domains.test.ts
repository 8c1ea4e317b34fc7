import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { covers, fqdnOf, readDomainName, readHostName } from "./domains.ts";
import { generatedName, labelFor } from "./names.ts";

const node = "uni.localhost";

test("a label lies below the node's domain, a name with a final dot stands for itself", () => {
  assert.equal(fqdnOf({ name: readDomainName("Web", node) }, node), "web.uni.localhost");
  assert.equal(fqdnOf({ name: readDomainName("www.Example.com.", node) }, node), "www.example.com");
  assert.equal(readDomainName("*.example.com.", node), "*.example.com.");
  assert.equal(readDomainName("web.uni.localhost.", node), "web");
  assert.equal(readDomainName("a.web.uni.localhost.", node), "a.web.uni.localhost.");
});

test("names that could not be served are refused", () => {
  const wrong = ["", "a.b", "-a", "a_b", "com.", "*.com.", "a.*.com.", "a..b.", "*", `${"a".repeat(64)}`];
  for (const name of [...wrong, "uni.localhost.", "*.uni.localhost.", `${"a.".repeat(130)}com.`, "a\nb"]) {
    assert.throws(() => readDomainName(name, node), { code: "invalid_value" }, name);
  }
  assert.equal(readHostName("www.Example.com.", false), "www.example.com");
  assert.equal(readHostName("*.example.com", true), "*.example.com");
  for (const name of ["localhost", "*.example.com", "", "a b.c"]) {
    assert.throws(() => readHostName(name, false), { code: "invalid_value" }, name);
  }
});

test("what is taken is taken again in the form that is stored, and has no odd character", () => {
  const text = fc.oneof(
    fc.domain(),
    fc.string(),
    fc.domain().map((name) => `${name}.`),
    fc.string().map((name) => `*.${name}.`),
  );
  fc.assert(
    fc.property(text, (given) => {
      let name: string;
      try {
        name = readDomainName(given, node);
      } catch (error) {
        assert.equal((error as { code?: string }).code, "invalid_value");
        return;
      }
      assert.equal(readDomainName(name, node), name);
      assert.match(fqdnOf({ name }, node), /^(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)+$/);
    }),
    { numRuns: 500 },
  );
});

test("a wildcard stands for one label", () => {
  assert.ok(covers("*.example.com", "www.example.com"));
  assert.ok(covers("*.example.com", "*.example.com"));
  assert.ok(!covers("*.example.com", "a.www.example.com"));
  assert.ok(!covers("*.example.com", "example.com"));
  assert.ok(!covers("*.com", "*.example.com"));
});

test("generated names are labels", () => {
  for (let round = 0; round < 50; round++) assert.match(generatedName(), /^[a-z]+-[a-z]+-[a-z0-9]{8}$/);
  assert.match(labelFor("My.Shop_1"), /^my-shop-1-[a-z0-9]{8}$/);
  assert.match(labelFor("___"), /^service-[a-z0-9]{8}$/);
  assert.ok(labelFor("x".repeat(255)).length <= 63);
});
