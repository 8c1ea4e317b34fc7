import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { UniError } from "@uni/contract/errors";
import { events, type Script, Stream, silence } from "../../../../test/kit/fake-daemon.ts";
import { fakeVm } from "../../../../test/kit/fake-vm.ts";
import { talk } from "../../../../test/kit/run-uni.ts";

const running: Script = { "VM.Run": () => fakeVm() };
const line = (stream: string, text: string) => ({ time: "2026-01-31T12:00:02.000Z", stream, line: text });

test("run prints the name and asks for a quarter of a gigabyte", async () => {
  const { code, stdout, stderr, calls } = await talk(running, ["run", "hello"]);
  assert.deepEqual([code, stdout, stderr], [0, "web\n", ""]);
  assert.deepEqual(calls, [
    { method: "VM.Run", params: { image: "hello", memory: 256, vcpus: 1, wait_s: 60, pull_policy: "never" } },
  ]);
});

test("run passes every option on", async () => {
  const directory = mkdtempSync(join(tmpdir(), "uni-run-"));
  try {
    writeFileSync(join(directory, "env"), "# comment\n\nFROM_FILE=1\nA=file\n");
    const args = ["run", "--rm", "-m", "1G", "--vcpus", "2", "-e", "A=b=c", "-e", "MINE", "-e", "NOT_SET"];
    args.push(
      "--env-file",
      join(directory, "env"),
      "--name",
      "web",
      "-p",
      "8080:80",
      "-p",
      "127.0.0.1:53:53/udp",
    );
    args.push(
      "--restart",
      "on-failure:5",
      "--entrypoint",
      "/bin/x",
      "-u",
      "nobody",
      "-w",
      "/tmp",
      "--tag",
      "blue",
    );
    args.push("--stop-timeout", "5", "hello", "--", "-m", "--rm");
    const { code, calls } = await talk(running, args, { env: { MINE: "yes" } });
    assert.equal(code, 0);
    assert.deepEqual(calls[0]?.params, {
      image: "hello",
      name: "web",
      args: ["-m", "--rm"],
      entrypoint: ["/bin/x"],
      env: { FROM_FILE: "1", A: "b=c", MINE: "yes" },
      user: "nobody",
      working_directory: "/tmp",
      tags: ["blue"],
      memory: 1024,
      vcpus: 2,
      restart: { policy: "on-failure", max_retries: 5 },
      auto_remove: true,
      port_maps: [
        { host_port: 8080, guest_port: 80, protocol: "tcp" },
        { host_port: 53, guest_port: 53, protocol: "udp", host_address: "127.0.0.1" },
      ],
      grace_period_s: 5,
      wait_s: 60,
      pull_policy: "never",
    });
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("what follows the image is the program's, with and without --", async () => {
  const { calls } = await talk(running, ["run", "hello", "ls", "-l", "--", "-q"]);
  assert.deepEqual(calls[0]?.params.args, ["ls", "-l", "--", "-q"]);
});

test("a path is no image: it is to be built first", async () => {
  for (const command of ["run", "create"]) {
    const { code, stderr, calls } = await talk(running, [command, "./My App"]);
    assert.deepEqual([code, calls.length], [64, 0]);
    assert.match(stderr, /\.\/My App: that is a path and no image\nHint: .*uni build \.\/My App -t my-app/);
  }
});

test("run -o json prints the instance", async () => {
  const { stdout } = await talk(running, ["run", "-o", "json", "hello"]);
  assert.deepEqual(JSON.parse(stdout), fakeVm());
});

test("bad values are usage errors that reach no daemon", async () => {
  const bad = [
    ["-m", "12X"],
    ["-p", "99999:1"],
    ["-p", "a:1"],
    ["-p", "1:1/sctp"],
    ["--vcpus", "0"],
    ["--restart", "sometimes"],
    ["--restart", "always:3"],
    ["-w", "srv"],
  ];
  for (const option of bad) {
    const { code, stderr, calls } = await talk(running, ["run", ...option, "hello"]);
    assert.equal(code, 64, option.join(" "));
    assert.match(stderr, /^Error: /);
    assert.equal(calls.length, 0);
  }
});

test("a refusal shows message and hint, and its status", async () => {
  const script = {
    "VM.Run": () => {
      throw new UniError("port_in_use", "publishing port 8080: instance 'db' has it", {
        hint: "Choose another.",
      });
    },
  };
  const { code, stdout, stderr } = await talk(script, ["run", "-p", "8080:80", "hello"]);
  assert.deepEqual([code, stdout], [69, ""]);
  assert.equal(stderr, "Error: publishing port 8080: instance 'db' has it\nHint: Choose another.\n");
  const json = await talk(script, ["run", "-o", "json", "hello"]);
  assert.deepEqual(JSON.parse(json.stderr).error, {
    code: "port_in_use",
    message: "publishing port 8080: instance 'db' has it",
    hint: "Choose another.",
  });
});

test("one whose machine did not come up is an error, in JSON too, and the instance is told all the same", async () => {
  const reason = "start instance 'web' with its memory: it was made by QEMU 1.0";
  const script: Script = { "VM.Run": () => fakeVm({ state: "stopped", exit_reason: reason }) };
  const { code, stdout, stderr } = await talk(script, ["run", "-o", "json", "--template", "base"]);
  assert.equal(code, 1);
  assert.equal(JSON.parse(stdout).name, "web");
  assert.equal(JSON.parse(stderr).error.message, reason);
});

test("an instance that has ended already is pointed out", async () => {
  const { code, stdout, stderr } = await talk(
    { "VM.Run": () => fakeVm({ state: "stopped", exit_code: 127 }) },
    ["run", "hello"],
  );
  assert.deepEqual([code, stdout], [127, "web\n"]);
  assert.match(stderr, /web has ended already: exit status 127/);
  for (const [exit_code, status] of [
    [3, 0],
    [undefined, 1],
  ] as const) {
    const vm = fakeVm({ state: "stopped", ...(exit_code === undefined ? {} : { exit_code }) });
    const ended = await talk({ "VM.Run": () => vm }, ["run", "hello"]);
    assert.equal(ended.code, status, "a program that ran has no say in it, one that never ran has");
  }
  const slow = await talk({ "VM.Run": () => fakeVm({ state: "starting" }) }, ["run", "hello"]);
  assert.match(slow.stderr, /web is still starting/);
});

test("--replicas makes several by the REST operation", async () => {
  const instance = {
    uuid: fakeVm().id,
    image: "hello",
    created_at: "",
    state: "running",
    memory_mb: 256,
    vcpus: 1,
  };
  const script = {
    createInstance: () => ({
      status: "success",
      data: {
        instances: [
          { ...instance, name: "a" },
          { ...instance, name: "b" },
        ],
      },
      op_time_us: 1,
    }),
  };
  const { code, stdout, calls } = await talk(script, ["run", "--replicas", "2", "hello"]);
  assert.deepEqual([code, stdout], [0, "a\nb\n"]);
  assert.equal((calls[0]?.params.body as { replicas?: number } | undefined)?.replicas, 1);
});

test("--attach streams both outputs apart and ends with the program's status", async () => {
  const script: Script = {
    "VM.Run": () => fakeVm({ state: "starting" }),
    "VM.Logs": () => events(line("stdout", "to out"), line("stderr", "to err"), line("system", "booted")),
    "VM.Wait": () => ({ exit_code: 42, state: "stopped" }),
    "VM.Remove": ({ id }) => {
      throw new UniError("not_found", `No instance with uuid '${id}'`);
    },
  };
  const { code, stdout, stderr, calls } = await talk(script, ["run", "--rm", "--attach", "hello"]);
  assert.deepEqual([code, stdout], [42, "to out\n"]);
  assert.equal(stderr, "to err\nuni: booted\n");
  assert.equal(calls[0]?.params.wait_s, undefined);
  const methods = calls.map(({ method }) => method);
  assert.deepEqual(methods.slice(0, -1).sort(), ["VM.Logs", "VM.Run", "VM.Wait"]);
  assert.equal(methods.at(-1), "VM.Remove", "it is gone before the command ends");
});

test("--attach -o json prints lines and the status as values", async () => {
  const script: Script = {
    "VM.Run": () => fakeVm(),
    "VM.Logs": () => events(line("stdout", "hi")),
    "VM.Wait": () => ({ exit_code: 0, state: "stopped" }),
  };
  const { stdout } = await talk(script, ["run", "--attach", "-o", "json", "hello"]);
  const values = stdout
    .trimEnd()
    .split("\n")
    .map((text) => JSON.parse(text));
  assert.deepEqual(values, [line("stdout", "hi"), { exit_code: 0 }]);
});

test("a program killed for memory is said so", async () => {
  const script: Script = {
    "VM.Run": () => fakeVm(),
    "VM.Logs": () => events(),
    "VM.Wait": () => ({ exit_code: 137, state: "stopped", exit_reason: "killed for memory; try -m 512" }),
  };
  const { code, stderr } = await talk(script, ["run", "--attach", "hello"]);
  assert.equal(code, 137);
  assert.match(stderr, /killed for memory; try -m 512/);
});

test("Ctrl-C stops an attached instance, a second one kills it", async () => {
  const stopped = Promise.withResolvers<void>();
  const killed = Promise.withResolvers<void>();
  let interrupt = () => {};
  const script: Script = {
    "VM.Run": () => fakeVm(),
    "VM.Logs": () =>
      new Stream(async () => {
        interrupt();
        await killed.promise;
      }),
    "VM.Wait": async () => {
      await killed.promise;
      return { exit_code: 137, state: "stopped" };
    },
    "VM.Stop": async () => {
      stopped.resolve();
      interrupt();
      await killed.promise;
      return fakeVm({ state: "stopped" });
    },
    "VM.Kill": () => {
      killed.resolve();
      return { status: "ok" };
    },
  };
  const { code, calls } = await talk(script, ["run", "--attach", "hello"], {
    onStart: (child) => {
      interrupt = () => child.kill("SIGINT");
    },
  });
  await stopped.promise;
  assert.equal(code, 137);
  const powers = calls.filter(({ method }) => method === "VM.Stop" || method === "VM.Kill");
  assert.deepEqual(powers, [
    { method: "VM.Stop", params: { id: fakeVm().id } },
    { method: "VM.Kill", params: { id: fakeVm().id } },
  ]);
});

test("an attached instance whose output nobody reads any more is stopped before the command ends", async () => {
  const stopped = Promise.withResolvers<void>();
  const script: Script = {
    "VM.Run": () => fakeVm(),
    "VM.Logs": () =>
      new Stream(async (peer) => {
        // More than a pipe holds: the first lines may be taken before the reader goes.
        for (let index = 0; index < 64; index += 1) peer.sendJson(10, line("stdout", "y".repeat(4_096)));
        await stopped.promise;
      }),
    "VM.Wait": () => silence,
    "VM.Stop": () => {
      stopped.resolve();
      return fakeVm({ state: "stopped" });
    },
  };
  const { code, stderr, calls } = await talk(script, ["run", "--attach", "hello"], {
    onStart: (child) => child.stdout?.destroy(),
  });
  assert.deepEqual([code, stderr], [141, ""]);
  assert.equal(calls.filter(({ method }) => method === "VM.Stop").length, 1);
});

test("create makes it without starting it", async () => {
  const { stdout, calls } = await talk(running, ["create", "--name", "web", "hello"]);
  assert.equal(stdout, "web\n");
  assert.equal(calls[0]?.params.autostart, false);
  assert.equal(calls[0]?.params.wait_s, undefined);
});

test("a platform may be given, and must be this machine's", async () => {
  const own = process.arch === "x64" ? "linux/amd64" : "linux/arm64";
  assert.equal((await talk(running, ["run", "--platform", own, "hello"])).code, 0);
  const other = await talk(running, ["run", "--platform", "linux/s390x", "hello"]);
  assert.deepEqual([other.code, other.calls], [64, []]);
  assert.match(other.stderr, /--platform/);
});

test("a path that reads as an image's name is told to be one, when no registry has it", async () => {
  const directory = mkdtempSync(join(tmpdir(), "uni-run-"));
  try {
    mkdirSync(join(directory, "examples/hello"), { recursive: true });
    const missing = () => {
      throw new UniError("image_not_found", "there is no such image", { hint: "Log in." });
    };
    const script: Script = { "VM.Run": missing, "Image.Pull": missing };
    const hint = async (image: string) =>
      /Hint: (.*)/.exec((await talk(script, ["run", image], { cwd: directory })).stderr)?.[1];
    assert.match((await hint("examples/hello")) ?? "", /: uni build examples\/hello -t hello, then/);
    assert.equal(await hint("examples/other"), "Log in.");
    assert.equal(await hint("examples"), "Log in.");
  } finally {
    rmSync(directory, { recursive: true });
  }
});
