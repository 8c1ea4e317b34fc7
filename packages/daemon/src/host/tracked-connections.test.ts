import assert from "node:assert/strict";
import { test } from "node:test";
import { sendersIn } from "./tracked-connections.ts";

test("a line names who opened the connection and who answers", () => {
  const line =
    "tcp      6 99 ESTABLISHED src=9.9.9.9 dst=5.5.5.5 sport=52 dport=80 src=10.1.0.2 dst=9.9.9.9 sport=8080 dport=52 [ASSURED] mark=0 use=1";
  assert.deepEqual(sendersIn(line), ["9.9.9.9", "10.1.0.2"]);
  assert.deepEqual(sendersIn(""), []);
});
