import assert from "node:assert/strict";
import { test } from "node:test";
import { parseTunnel } from "./tunnel.ts";

test("a tunnel has an instance and its port, and perhaps a local port and address", () => {
  for (const [text, address, localPort] of [
    ["db:5432", "127.0.0.1", 0],
    [":db:5432", "127.0.0.1", 0],
    ["0:db:5432", "127.0.0.1", 0],
    ["15432:db:5432", "127.0.0.1", 15_432],
    ["192.0.2.1:15432:db:5432", "192.0.2.1", 15_432],
    ["[::1]:15432:db:5432", "::1", 15_432],
    ["[::1]:0:db:5432", "::1", 0],
  ] as const) {
    assert.deepEqual(parseTunnel(text), { address, localPort, instance: "db", port: 5432 }, text);
  }
});

test("anything else is refused", () => {
  for (const text of ["", "db", ":", "db:", ":80", "x:db:80", "1:2:3:4:5", "host:1:db:80", "[x]:1:db:80"]) {
    assert.throws(() => parseTunnel(text), { code: "commander.invalidArgument" }, text);
  }
});
