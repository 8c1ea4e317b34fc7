import assert from "node:assert/strict";
import { test } from "node:test";
import { UniError } from "@uni/contract/errors";
import type { Params } from "../../../../test/kit/fake-daemon.ts";
import { fakeVm } from "../../../../test/kit/fake-vm.ts";
import { talk } from "../../../../test/kit/run-uni.ts";

const ports = [
  { host_port: 8080, guest_port: 80, protocol: "tcp" },
  { host_port: 30_000, guest_port: 5432, protocol: "tcp" },
  { host_port: 30_001, guest_port: 5432, protocol: "tcp", host_address: "127.0.0.1" },
  { host_port: 30_000, guest_port: 53, protocol: "udp" },
] as const;
const script = { "VM.Update": () => fakeVm({ ports: [...ports] }) };
const sent = (calls: readonly { readonly params: Params }[]) => calls[0]?.params.updates;

test("expose asks for a port, and prints where the instance's is", async () => {
  const cases: [string[], object, string][] = [
    [["5432"], { guest_port: 5432, protocol: "tcp" }, "0.0.0.0:30000\n"],
    [["80", "-p", "8080"], { guest_port: 80, protocol: "tcp", host_port: 8080 }, "0.0.0.0:8080\n"],
    [
      ["5432", "--port", "127.0.0.1:0"],
      { guest_port: 5432, protocol: "tcp", host_address: "127.0.0.1" },
      "127.0.0.1:30001\n",
    ],
    [["53/udp"], { guest_port: 53, protocol: "udp" }, "0.0.0.0:30000\n"],
  ];
  for (const [args, value, printed] of cases) {
    const { code, stdout, calls } = await talk(script, ["expose", "web", ...args]);
    assert.deepEqual([code, stdout], [0, printed], args.join(" "));
    assert.deepEqual(sent(calls), [{ prop: "ports", op: "add", value: [value] }]);
  }
  const json = await talk(script, ["expose", "-o", "json", "web", "80"]);
  assert.deepEqual(JSON.parse(json.stdout), ports[0]);
});

test("unexpose takes all ports that lead there, or the one that is named", async () => {
  const all = await talk(script, ["unexpose", "web", "80"]);
  assert.deepEqual([all.code, all.stdout], [0, "web\n"]);
  assert.deepEqual(sent(all.calls), [
    { prop: "ports", op: "del", value: [{ guest_port: 80, protocol: "tcp" }] },
  ]);
  const one = await talk(script, ["unexpose", "web", "80", "-p", "8080"]);
  assert.deepEqual(sent(one.calls), [
    { prop: "ports", op: "del", value: [{ guest_port: 80, protocol: "tcp", host_port: 8080 }] },
  ]);
});

test("a refusal is passed on, and what is no port is refused here", async () => {
  const taken = () => {
    throw new UniError("port_in_use", "publish 0.0.0.0:80/tcp: instance shop has it");
  };
  const refusal = await talk({ "VM.Update": taken }, ["expose", "web", "80", "-p", "80"]);
  assert.equal(refusal.code, 69);
  assert.match(refusal.stderr, /instance shop has it/);
  for (const args of [
    ["0"],
    ["80/sctp"],
    ["80/udp/x"],
    ["x"],
    ["80", "-p", "65536"],
    ["80", "-p", "host:80"],
    [],
  ]) {
    const { code, calls } = await talk(script, ["expose", "web", ...args]);
    assert.deepEqual([code, calls], [64, []], args.join(" "));
  }
});
