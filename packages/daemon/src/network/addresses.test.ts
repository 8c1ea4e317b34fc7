import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatAddress, formatPrefix, overlaps, parseAddress, parsePrefix } from "./addresses.ts";

test("an address is read and written back", () => {
  fc.assert(
    fc.property(fc.ipV4(), (text) => {
      assert.equal(formatAddress(parseAddress(text) ?? -1), text);
    }),
  );
});

test("what is not exactly an address is refused", () => {
  for (const text of [
    "",
    "1.2.3",
    "1.2.3.4.5",
    "1.2.3.256",
    "01.2.3.4",
    "1.2.3.4 ",
    "0x1.2.3.4",
    "-1.2.3.4",
    "::1",
  ]) {
    assert.equal(parseAddress(text), undefined, text);
  }
});

test("a prefix loses its host bits", () => {
  const text = (prefix: string) => {
    const parsed = parsePrefix(prefix);
    return parsed && formatPrefix(parsed);
  };
  assert.equal(text("10.1.2.3/16"), "10.1.0.0/16");
  assert.equal(text("255.255.255.255/0"), "0.0.0.0/0");
  assert.equal(text("10.1.2.3"), "10.1.2.3/32");
  for (const bad of ["10.1.2.3/33", "10.1.2.3/", "10.1.2.3/16/1", "default"])
    assert.equal(text(bad), undefined, bad);
});

test("prefixes overlap when one holds the other", () => {
  const both = (a: string, b: string) => {
    const [first, second] = [parsePrefix(a), parsePrefix(b)];
    assert.ok(first && second);
    assert.equal(overlaps(first, second), overlaps(second, first));
    return overlaps(first, second);
  };
  assert.equal(both("10.0.0.0/8", "10.200.0.0/16"), true);
  assert.equal(both("10.200.0.0/16", "10.200.255.255/32"), true);
  assert.equal(both("10.200.0.0/16", "10.201.0.0/16"), false);
  assert.equal(both("192.168.0.0/16", "10.0.0.0/8"), false);
});
