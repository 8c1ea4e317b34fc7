import assert from "node:assert/strict";
import { test } from "node:test";
import { UniError } from "@uni/contract/errors";
import type { Params, Script } from "../../../../test/kit/fake-daemon.ts";
import { fakeVm } from "../../../../test/kit/fake-vm.ts";
import { talk } from "../../../../test/kit/run-uni.ts";

const stopped = ({ id }: Params) => {
  if (id === "gone") throw new UniError("not_found", "no instance 'gone'", { hint: "See uni ps -a." });
  if (id === "locked") throw new UniError("delete_locked", "'locked' has a delete lock");
  return fakeVm({ name: String(id), state: "stopped" });
};
const started = ({ id }: Params) => fakeVm({ name: String(id) });
const script: Script = {
  "VM.Start": started,
  "VM.Stop": stopped,
  "VM.Restart": started,
  "VM.Kill": (params) => ({ ...stopped(params), status: "ok" }),
  "VM.Remove": (params) => ({ ...stopped(params), status: "ok" }),
  "VM.Wait": ({ id }) => ({ exit_code: id === "bad" ? 3 : 0, state: "stopped" }),
};

test("each verb asks for what its options say", async () => {
  const cases: [string[], string, Params][] = [
    [["start", "web"], "VM.Start", { id: "web" }],
    [["stop", "web"], "VM.Stop", { id: "web" }],
    [["stop", "-t", "5", "web"], "VM.Stop", { id: "web", grace_s: 5 }],
    [["stop", "--force", "web"], "VM.Stop", { id: "web", force: true }],
    [["restart", "-t", "1", "web"], "VM.Restart", { id: "web", grace_s: 1 }],
    [["kill", "web"], "VM.Kill", { id: "web" }],
    [["kill", "-s", "hup", "web"], "VM.Kill", { id: "web", signal: "HUP" }],
    [["rm", "web"], "VM.Remove", { id: "web" }],
    [["rm", "-f", "web"], "VM.Remove", { id: "web", force: true }],
  ];
  for (const [args, method, params] of cases) {
    const { code, stdout, calls } = await talk(script, args);
    assert.deepEqual([code, stdout, calls], [0, "web\n", [{ method, params }]], args.join(" "));
  }
});

test("a start whose machine did not come up has failed, one whose program has ended has not", async () => {
  const failed = fakeVm({ state: "stopped", exit_reason: "boot a guest with 64 MB: too little" });
  const ended = fakeVm({ state: "stopped", exit_code: 0, exit_reason: "stopped" });
  for (const verb of ["start", "restart"] as const) {
    const method = verb === "start" ? "VM.Start" : "VM.Restart";
    const { code, stdout, stderr } = await talk({ [method]: () => failed }, [verb, "web"]);
    assert.deepEqual([code, stdout], [1, ""], verb);
    assert.match(stderr, /^Error: boot a guest with 64 MB: too little\nHint: .*uni inspect web/);
    assert.equal((await talk({ [method]: () => ended }, [verb, "web"])).code, 0, verb);
  }
});

test("of several, each is tried, and the status is the first failure's", async () => {
  const { code, stdout, stderr } = await talk(script, ["rm", "a", "gone", "b", "locked", "c"]);
  assert.equal(code, 66);
  assert.equal(stdout, "a\nb\nc\n");
  assert.equal(
    stderr,
    "Error: no instance 'gone'\nHint: See uni ps -a.\nError: 'locked' has a delete lock\n",
  );
});

test("one gives one value, several give an array of what went well", async () => {
  const one = await talk(script, ["stop", "-o", "json", "a"]);
  assert.equal(JSON.parse(one.stdout).name, "a");
  const several = await talk(script, ["stop", "-o", "json", "a", "gone", "b"]);
  assert.deepEqual(
    JSON.parse(several.stdout).map(({ name }: { name: string }) => name),
    ["a", "b"],
  );
  assert.equal(JSON.parse(several.stderr).error.code, "not_found");
  assert.equal(several.code, 66);
});

test("wait prints the exit status of each, and is not one itself", async () => {
  const { code, stdout } = await talk(script, ["wait", "good", "bad"]);
  assert.deepEqual([code, stdout], [0, "0\n3\n"]);
  const json = await talk(script, ["wait", "-o", "json", "bad"]);
  assert.deepEqual(JSON.parse(json.stdout), { name: "bad", exit_code: 3, state: "stopped" });
});

test("update sends changes in order, and nothing to change is refused", async () => {
  const detail = { ...fakeVm(), updates: [{ prop: "memory_mb", op: "set", status: "pending" }] };
  const args = ["update", "web", "-m", "512", "-e", "A=1", "--rm-env", "B", "--tag", "x", "--no-delete-lock"];
  const { code, stdout, stderr, calls } = await talk({ "VM.Update": () => detail }, args);
  assert.deepEqual([code, stdout], [0, "web\n"]);
  assert.match(stderr, /wait for its next start/);
  assert.deepEqual(calls[0]?.params.updates, [
    { prop: "memory_mb", op: "set", value: 512 },
    { prop: "delete_lock", op: "set", value: false },
    { prop: "env", op: "del", value: ["B"] },
    { prop: "env", op: "add", value: { A: "1" } },
    { prop: "tags", op: "add", value: ["x"] },
  ]);
  assert.equal((await talk({}, ["update", "web"])).code, 64);
});

test("ROMs are taken away before others come, in place of the one of their name", async () => {
  const args = ["update", "web", "--rom", "name=code,image=hello,at=/code", "--rm-rom", "old"];
  const { calls } = await talk({ "VM.Update": () => fakeVm() }, args);
  assert.deepEqual(calls[0]?.params.updates, [
    { prop: "roms", op: "del", value: ["old"] },
    { prop: "roms", op: "add", value: [{ name: "code", at: "/code", image: "hello" }] },
  ]);
});

test("update takes arguments of the program after two dashes only", async () => {
  const script = { "VM.Update": () => fakeVm() };
  const { calls } = await talk(script, ["update", "web", "--tag", "x", "--", "--verbose", "now"]);
  assert.deepEqual(calls[0]?.params.updates, [
    { prop: "tags", op: "add", value: ["x"] },
    { prop: "args", op: "set", value: ["--verbose", "now"] },
  ]);
  for (const args of [["512"], ["memory", "--", "512"], ["--tag", "x", "y"]]) {
    const { code, stderr, calls: none } = await talk(script, ["update", "web", ...args]);
    assert.deepEqual([code, none], [64, []], args.join(" "));
    assert.match(stderr, /Hint: New arguments of the program come after two dashes: uni update web -- /);
  }
});

test("options of Docker's that change nothing here are taken", async () => {
  const script: Script = {
    "VM.Remove": ({ id }) => ({ id, name: id }),
    "VM.Stop": () => fakeVm(),
    "VM.Stats": () => [],
    "Image.Remove": ({ reference }) => ({ removed: [reference] }),
    "Image.Prune": () => ({ freed_bytes: 0 }),
    "Image.List": () => [],
  };
  for (const typed of [
    "rm -fv web",
    "rmi -f hello",
    "prune -f",
    "stats --no-stream",
    "images -a --no-trunc",
    "stop --timeout 3 web",
  ]) {
    const { code, stderr } = await talk(script, typed.split(" "));
    assert.deepEqual([code, stderr], [0, ""], typed);
  }
  const stopped = await talk(script, ["stop", "--timeout", "3", "web"]);
  assert.deepEqual(stopped.calls[0]?.params, { id: "web", grace_s: 3 });
});
