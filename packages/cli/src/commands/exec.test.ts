import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { UniError } from "@uni/contract/errors";
import { frameKinds } from "@uni/contract/stream-frames";
import { type Script, Stream, startFakeDaemon } from "../../../../test/kit/fake-daemon.ts";
import { talk, uniMain } from "../../../../test/kit/run-uni.ts";

/** Prints to both outputs, echoes its input, and ends with 7. */
const echo: Script = {
  "VM.Exec": () =>
    new Stream(async (peer) => {
      peer.send(frameKinds.stdout, Buffer.from([104, 105, 255, 10]));
      peer.send(frameKinds.stderr, "oops\n");
      for await (const { kind, payload } of peer.frames) {
        if (kind === frameKinds.end) break;
        if (kind === frameKinds.stdin) peer.send(frameKinds.stdout, payload);
      }
      return { exit_code: 7 };
    }),
};

test("exec keeps the outputs apart and ends with the program's status", async () => {
  const { code, bytes, stderr, calls } = await talk(echo, ["exec", "web", "ls", "-l", "/"], {
    input: "unasked",
  });
  assert.equal(code, 7);
  assert.deepEqual(bytes, Buffer.from([104, 105, 255, 10]));
  assert.equal(stderr, "oops\n");
  assert.deepEqual(calls[0]?.params, { id: "web", argv: ["ls", "-l", "/"] });
});

test("exec -i passes input on to its end, however much", async () => {
  const input = Buffer.alloc(3 << 20, "0123456789abcdef");
  const { code, bytes } = await talk(echo, ["exec", "-i", "web", "cat"], { input });
  assert.equal(code, 7);
  assert.ok(bytes.subarray(4).equals(input));
});

test("a reader that is slow to start gets all of the output", async () => {
  const frames = 9; // of 8 KiB: a pipe takes eight (pipe(7)), the last waits in the process
  let gone: Promise<void> | undefined;
  const daemon = await startFakeDaemon({
    "VM.Exec": () =>
      new Stream(async (peer) => {
        gone = peer.gone;
        for (let each = 0; each < frames; each += 1) peer.send(frameKinds.stdout, Buffer.alloc(8192));
        return { exit_code: 0 };
      }),
  });
  try {
    const line = '"$@" | { read -r _ <&3; wc -c; }';
    const command = ["-c", line, "sh", process.execPath, uniMain, "exec", "web", "cat"];
    const child = spawn("/bin/sh", command, {
      env: { PATH: process.env.PATH, UNI_SOCKET: daemon.socketPath },
      stdio: ["ignore", "pipe", "inherit", "pipe"],
    });
    const counted = text(child.stdout as Readable);
    while (gone === undefined) await setTimeout(10);
    await gone;
    await setTimeout(300); // time for it to leave too early
    (child.stdio[3] as Writable).end("go\n");
    assert.equal(Number(await counted), frames * 8192);
  } finally {
    await daemon.close();
  }
});

test("exec passes user, directory and environment on", async () => {
  const args = ["exec", "-u", "nobody", "-w", "/tmp", "-e", "A=1", "web", "--", "env", "-i"];
  const { calls } = await talk(echo, args);
  assert.deepEqual(calls[0]?.params, {
    id: "web",
    argv: ["env", "-i"],
    env: { A: "1" },
    user: "nobody",
    working_directory: "/tmp",
  });
});

test("exec -o json collects what the program printed", async () => {
  const { code, stdout } = await talk(echo, ["exec", "-o", "json", "web", "ls"]);
  assert.equal(code, 7);
  assert.deepEqual(JSON.parse(stdout), { exit_code: 7, stdout: "hi\ufffd\n", stderr: "oops\n" });
});

test("exec -it without a terminal is a usage error", async () => {
  const { code, stderr, calls } = await talk(echo, ["exec", "-it", "web", "sh"]);
  assert.equal(code, 64);
  assert.match(stderr, /standard input is not a terminal\nHint: Leave -t out/);
  assert.equal(calls.length, 0);
});

test("a program that cannot be started ends with 127 or 126, as a shell has it", async () => {
  const failing = (reason: string): Script => ({
    "VM.Exec": () => {
      throw new UniError("guest_failed", `running 'nope' in web: ${reason}`);
    },
  });
  const missing = await talk(failing("nope: no such program in PATH"), ["exec", "web", "nope"]);
  assert.deepEqual(
    [missing.code, missing.stderr],
    [127, "Error: running 'nope' in web: nope: no such program in PATH\n"],
  );
  assert.equal((await talk(failing("nope: is not executable"), ["exec", "web", "nope"])).code, 126);
});

test("Ctrl-C and SIGTERM go to the program", async () => {
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    let interrupt = () => {};
    const script: Script = {
      "VM.Exec": () =>
        new Stream(async (peer) => {
          interrupt();
          for await (const { kind, payload } of peer.frames) {
            if (kind !== frameKinds.signal) continue;
            peer.send(frameKinds.stdout, payload);
            break;
          }
          return { exit_code: 130 };
        }),
    };
    const { code, stdout } = await talk(script, ["exec", "web", "sleep", "9"], {
      onStart: (child) => {
        interrupt = () => child.kill(name);
      },
    });
    assert.equal(code, 130);
    assert.deepEqual(JSON.parse(stdout), { signal: name });
  }
});
