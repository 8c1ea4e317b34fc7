import assert from "node:assert/strict";
import { test } from "node:test";
import { parseNameservers } from "./nameservers.ts";

test("resolvers that a guest can reach are taken, in order, at most three", () => {
  const text = `# nameserver 1.1.1.1
search example.com
nameserver 127.0.0.53
nameserver   192.0.2.1
\tnameserver 192.0.2.2
nameserver fe80::1%eth0
nameserver ::1
nameserver 192.0.2.1
nameserver 0.0.0.0
nameserver
nameservers 192.0.2.9
nameserver 192.0.2.3 # comment
nameserver 192.0.2.4
`;
  assert.deepEqual(parseNameservers(text), ["192.0.2.1", "192.0.2.2", "192.0.2.3"]);
});

test("none is an answer", () => {
  assert.deepEqual(parseNameservers(""), []);
  assert.deepEqual(parseNameservers("nameserver 127.0.0.1\nnameserver ::1\n"), []);
});
