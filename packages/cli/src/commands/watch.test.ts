import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { test } from "node:test";
import { UniError } from "@uni/contract/errors";
import { parse } from "yaml";
import { events, Raw, type Script, Stream } from "../../../../test/kit/fake-daemon.ts";
import { fakeVm } from "../../../../test/kit/fake-vm.ts";
import { talk } from "../../../../test/kit/run-uni.ts";

const line = (stream: string, text: string) => ({ time: "2026-01-31T12:00:02.000Z", stream, line: text });

test("logs keeps the program's two outputs apart, byte for byte", async () => {
  const script = { "VM.Logs": () => events(line("stdout", "\u001b[1mout\u001b[0m"), line("stderr", "err")) };
  const { code, stdout, stderr, calls } = await talk(script, ["logs", "web"]);
  assert.deepEqual([code, stdout, stderr], [0, "\u001b[1mout\u001b[0m\n", "err\n"]);
  assert.deepEqual(calls[0]?.params, { id: "web", since: "1970-01-01T00:00:00.000Z" });
});

test("output that is no text or has no line end comes out as it went in", async () => {
  const odd = Buffer.from([0xff, 0x00, 0x0a]);
  const script = {
    "VM.Logs": () =>
      events(
        { ...line("stdout", "\ufffd\u0000"), base64: odd.subarray(0, 2).toString("base64") },
        { ...line("stdout", "half "), unended: true },
        line("stderr", "between"),
        { ...line("stdout", "line"), unended: true },
      ),
  };
  const plain = await talk(script, ["logs", "web"]);
  assert.deepEqual(
    [plain.bytes, plain.stderr],
    [Buffer.concat([odd, Buffer.from("half line")]), "between\n"],
  );
  const stamped = await talk(script, ["logs", "-t", "web"]);
  assert.match(stamped.stdout, /Z half line$/);
  const json = await talk(script, ["logs", "-o", "json", "web"]);
  assert.deepEqual(JSON.parse(json.stdout.split("\n")[1] ?? ""), {
    ...line("stdout", "half "),
    unended: true,
  });
});

test("logs options", async () => {
  const script = { "VM.Logs": () => events(line("stdout", "a")) };
  const tail = await talk(script, ["logs", "-f", "--tail", "5", "--timestamps", "web"]);
  assert.deepEqual(tail.calls[0]?.params, { id: "web", follow: true, partial: true, tail: 5 });
  assert.equal(tail.stdout, "2026-01-31T12:00:02.000Z a\n");
  const since = await talk(script, ["logs", "--since", "2026-01-31T12:00:00Z", "web"]);
  assert.deepEqual(since.calls[0]?.params, { id: "web", since: "2026-01-31T12:00:00.000Z" });
  const json = await talk(script, ["logs", "-o", "json", "web"]);
  assert.deepEqual(JSON.parse(json.stdout), line("stdout", "a"));
  assert.equal((await talk(script, ["logs", "--tail", "some", "web"])).code, 64);
});

test("Ctrl-C ends a follow with status 130, and the daemon sees it go", async () => {
  let interrupt = () => {};
  const left = Promise.withResolvers<void>();
  const script: Script = {
    "VM.Logs": () =>
      new Stream(async (peer) => {
        peer.sendJson(10, line("stdout", "a"));
        interrupt();
        await peer.gone;
        left.resolve();
      }),
  };
  const { code, stderr } = await talk(script, ["logs", "-f", "web"], {
    onStart: (child) => {
      interrupt = () => child.kill("SIGINT");
    },
  });
  assert.deepEqual([code, stderr], [130, ""]);
  await left.promise;
});

test("a stream that breaks off is an error", async () => {
  const script: Script = {
    "VM.Logs": () =>
      new Stream(async (peer) => {
        peer.sendJson(10, line("stdout", "a"));
        peer.socket.end();
        await peer.gone;
      }),
  };
  const { code, stdout, stderr } = await talk(script, ["logs", "-f", "web"]);
  assert.deepEqual([code, stdout], [69, "a\n"]);
  assert.match(stderr, /connection to unid was lost/);
});

test("inspect prints one as an object and several as an array, images too", async () => {
  const script: Script = {
    "VM.Inspect": ({ id }) => {
      if (id !== "web") throw new UniError("not_found", `no instance '${id}'`);
      return fakeVm();
    },
    "Image.Get": ({ reference }) => {
      if (reference !== "hello") throw new UniError("image_not_found", `no image '${reference}'`);
      return { digest: "sha256:1" };
    },
  };
  assert.deepEqual(JSON.parse((await talk(script, ["inspect", "web"])).stdout), fakeVm());
  const both = await talk(script, ["inspect", "web", "hello", "nothing"]);
  assert.deepEqual(JSON.parse(both.stdout), [fakeVm(), { digest: "sha256:1" }]);
  assert.deepEqual(
    [both.code, both.stderr],
    [66, "Error: inspecting 'nothing': no such instance or image\n"],
  );
  assert.deepEqual(parse((await talk(script, ["inspect", "-o", "yaml", "web"])).stdout), fakeVm());
  assert.equal((await talk(script, ["inspect", "--type", "instance", "hello"])).code, 66);
  assert.equal((await talk(script, ["inspect", "-f", "{{.Name}} {{.ip}}", "web"])).stdout, "web 10.0.0.2\n");
});

test("inspect hands on what was nearly typed, of instances and of images", async () => {
  const script: Script = {
    "VM.Inspect": ({ id }) => {
      const hint = id === "wep" ? "Did you mean web?" : "'uni ps -a' lists all instances.";
      throw new UniError("not_found", "no instance", { hint });
    },
    "Image.Get": () => {
      throw new UniError("image_not_found", "no image", { hint: "Did you mean hello?" });
    },
  };
  assert.match((await talk(script, ["inspect", "wep"])).stderr, /\nHint: Did you mean web\?\n$/);
  assert.match((await talk(script, ["inspect", "helo"])).stderr, /\nHint: Did you mean hello\?\n$/);
});

const measured = {
  id: fakeVm().id,
  name: "web",
  state: "running",
  cpu_pct: 12.34,
  cpu_time_ms: 5,
  rss_bytes: 50 << 20,
  mem_bytes: 10 << 20,
  mem_limit_bytes: 256 << 20,
  net_rx_bytes: 1024,
  net_tx_bytes: 0,
  timestamp: "2026-01-31T12:00:00Z",
  source: "guest",
};

test("stats prints a table, one as an object, all as an array", async () => {
  const one = measured;
  const script = { "VM.Stats": () => [one] };
  const table = await talk(script, ["stats"]);
  assert.match(table.stdout, /web\s+12\.3%\s+10\.0 MB \/ 256 MB\s+50\.0 MB\s+-\s+1\.0 KB \/ 0 B/);
  assert.deepEqual(table.calls[0]?.params, {});
  assert.deepEqual(JSON.parse((await talk(script, ["stats", "-o", "json", "web"])).stdout), one);
  assert.deepEqual(JSON.parse((await talk(script, ["stats", "-o", "json"])).stdout), [one]);
});

test("top measures again and again until Ctrl-C, of those that are named", async () => {
  let rounds = 0;
  let interrupt = () => {};
  const script: Script = {
    "VM.Stats": () => {
      rounds += 1;
      if (rounds === 3) interrupt();
      return [{ ...measured, cpu_pct: rounds }];
    },
  };
  const options = {
    onStart: (child: ChildProcess) => {
      interrupt = () => child.kill("SIGINT");
    },
  };
  const { code, stdout, stderr, calls } = await talk(script, ["top", "web", "--interval", "1"], options);
  assert.deepEqual([code, stderr], [130, ""]);
  // Without a terminal nothing is cleared.
  assert.match(stdout, /^NAME.+\nweb\s+1\.0%.+\nNAME.+\nweb\s+2\.0%/);
  assert.deepEqual(calls[0]?.params, { id: "web" });
  rounds = 1;
  const json = await talk(script, ["top", "-o", "json", "--interval", "1"], options);
  assert.equal(JSON.parse(json.stdout.split("\n")[0] ?? "")[0].cpu_pct, 2);
  assert.equal((await talk(script, ["top", "--interval", "0"])).code, 64);
});

test("events are lines, and values with -o json", async () => {
  const event = {
    time: "2026-01-31T12:00:00Z",
    type: "state",
    name: "we\u001bb",
    state: "running",
    previous_state: "starting",
  };
  const script = { "Daemon.Events": () => events(event, event) };
  const { code, stdout } = await talk(script, ["events", "--limit", "1"]);
  assert.deepEqual([code, stdout], [0, "2026-01-31T12:00:00Z  state  we\\x1bb  starting -> running\n"]);
  const json = await talk(script, ["events", "-o", "json"]);
  assert.equal(json.stdout, `${JSON.stringify(event)}\n`.repeat(2));
});

test("attach passes raw bytes on and ends with the program's status", async () => {
  const bytes = Buffer.from([0, 255, 10, 27, 128]);
  const script: Script = {
    "VM.Inspect": () => fakeVm(),
    "VM.Attach": () => new Raw((socket) => socket.end(bytes)),
    "VM.Wait": () => ({ exit_code: 9, state: "stopped" }),
  };
  const { code, bytes: printed } = await talk(script, ["attach", "web"]);
  assert.equal(code, 9);
  assert.deepEqual(printed, bytes);
  const ended = { ...script, "VM.Inspect": () => fakeVm({ state: "stopped" }) };
  const refused = await talk(ended, ["attach", "web"]);
  assert.equal(refused.code, 69);
  assert.match(
    refused.stderr,
    /^Error: attaching to 'web': it is stopped\nHint: uni logs web .* uni start web/,
  );
});
