import assert from "node:assert/strict";
import { test } from "node:test";
import { UniError } from "@uni/contract/errors";
import { frameKinds } from "@uni/contract/stream-frames";
import { type Script, Stream } from "../../../../test/kit/fake-daemon.ts";
import { fakeVm } from "../../../../test/kit/fake-vm.ts";
import { talk } from "../../../../test/kit/run-uni.ts";

/** A console that tells what it got until its client has no more. */
const echo = () =>
  new Stream(async (peer) => {
    let typed = "";
    for await (const { kind, payload } of peer.frames) {
      if (kind === frameKinds.end) break;
      typed += `[${kind}]${Buffer.from(payload)}`;
    }
    peer.send(frameKinds.stdout, `out ${typed}\n`);
    peer.send(frameKinds.stderr, "err\n");
    peer.sendJson(frameKinds.event, { time: "", stream: "system", line: "it slept\u001b" });
    return { exit_code: 9 };
  });

const script: Script = {
  "VM.Run": (params) => fakeVm({ name: "web", state: "stopped", ...params }),
  "VM.Inspect": () => ({ ...fakeVm({ name: "web" }), stdin_open: true }),
  "VM.Console": echo,
  "VM.Remove": ({ id }) => {
    throw new UniError("not_found", `No instance with uuid '${id}'`);
  },
};
const { id } = fakeVm();

test("run -i makes it, starts it with its console, and ends with its program's status", async () => {
  const { code, stdout, stderr, calls } = await talk(script, ["run", "-i", "--rm", "hello", "cat"], {
    input: "hi",
  });
  assert.deepEqual([code, stdout], [9, "out [0]hi\n"]);
  assert.equal(stderr, "err\nuni: it slept\\x1b\n");
  const { tty, stdin_open, autostart, wait_s } = calls[0]?.params ?? {};
  assert.deepEqual([tty, stdin_open, autostart, wait_s], [undefined, true, false, undefined]);
  assert.deepEqual(
    calls.slice(1).map(({ method, params }) => [method, params]),
    [
      ["VM.Console", { id, start: true }],
      ["VM.Remove", { id }],
    ],
  );
});

test("with --rm nothing is left of one that may not start", async () => {
  const refusing: Script = {
    ...script,
    "VM.Console": () => {
      throw new UniError("too_many", "start instance 'web': no room");
    },
  };
  const { code, stderr, calls } = await talk(refusing, ["run", "-i", "--rm", "hello"]);
  assert.notEqual(code, 0);
  assert.match(stderr, /no room/);
  assert.deepEqual(calls.at(-1), { method: "VM.Remove", params: { id } });
});

test("-d makes it with a terminal and leaves it; so does create", async () => {
  const running: Script = { ...script, "VM.Run": () => fakeVm({ name: "web" }) };
  for (const args of [
    ["run", "-dit", "hello"],
    ["create", "-it", "hello"],
  ]) {
    const { code, stdout, calls } = await talk(running, args);
    assert.deepEqual([code, stdout, calls.length], [0, "web\n", 1]);
    assert.deepEqual([calls[0]?.params.tty, calls[0]?.params.stdin_open], [true, true]);
  }
});

test("a copy has what it was copied with: it is asked for that, and not told", async () => {
  const { code, stdout, calls } = await talk(script, ["run", "-i", "--template", "base"], { input: "hi" });
  assert.deepEqual([code, stdout], [9, "out [0]hi\n"]);
  assert.equal(calls[0]?.params.stdin_open, undefined);
  assert.equal(calls[1]?.method, "VM.Inspect");
});

test("attach passes input on to one that takes it, and none with --no-stdin", async () => {
  const whole = await talk(script, ["attach", "web"], { input: "hi" });
  assert.deepEqual([whole.code, whole.stdout], [9, "out [0]hi\n"]);
  assert.deepEqual(whole.calls.at(-1), { method: "VM.Console", params: { id } });
  const silent: Script = {
    ...script,
    "VM.Console": () => new Stream(async () => ({ exit_code: 3 })),
  };
  assert.equal((await talk(silent, ["attach", "--no-stdin", "web"], { input: "hi" })).code, 3);
});

test("start -a and -i stay with one instance", async () => {
  const { code, stdout, calls } = await talk(script, ["start", "-ai", "web"], { input: "hi" });
  assert.deepEqual([code, stdout], [9, "out [0]hi\n"]);
  assert.deepEqual(calls.at(-1), { method: "VM.Console", params: { id, start: true } });
  for (const args of [
    ["start", "-a", "web", "db"],
    ["start", "-a", "--cold", "web"],
  ]) {
    const refused = await talk(script, args);
    assert.deepEqual([refused.code, refused.calls], [64, []], args.join(" "));
  }
});

test("what does not go with it is refused before anything is made", async () => {
  for (const args of [
    ["run", "-it", "hello"],
    ["run", "-i", "-o", "json", "hello"],
    ["run", "-i", "--replicas", "2", "hello"],
    ["run", "-i", "--detach-keys", "ctrl-1", "hello"],
  ]) {
    const { code, stderr, calls } = await talk(script, args);
    assert.deepEqual([code, calls], [64, []], args.join(" "));
    assert.match(stderr, /^(\{"error"|Error: )/);
  }
});
