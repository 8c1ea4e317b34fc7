import assert from "node:assert/strict";
import { test } from "node:test";
import { type Boot, type CommandLineInput, commandLine, type Restore } from "./command-line.ts";
import { x86Sixtyfour } from "./x86-64.ts";

const boot: Boot = {
  kind: "boot",
  ramPath: "/cache/ram",
  kernelPath: "/kernel",
  initramfsPath: "/initramfs",
  kernelArguments: ["quiet", "panic=-1"],
};
const restore: Restore = {
  kind: "restore",
  backing: [],
  ramPath: "/cache/ram",
  stateDescriptor: 3,
  spec: {
    root: { path: "/images/root", format: "raw", readOnly: true },
    writable: { path: "/data/a,b", format: "qcow2", readOnly: false },
    network: { tap: "tap0", mac: "02:00:00:00:00:01" },
  },
};

function lineOf(from: Boot | Restore, shape = { vcpus: 1, memoryMb: 128 }): string[] {
  const input: CommandLineInput = {
    architecture: x86Sixtyfour,
    accelerator: "tcg",
    shape,
    name: "uni-test",
    files: { qmp: "/run/qmp", agent: "/run/agent" },
    from,
  };
  return commandLine(input);
}

const devicesOf = (args: readonly string[]) =>
  args.filter((_, index) => args[index - 1] === "-device").map((device) => device.replace(/,mac=.*/, ""));

test("boot and restore have the same devices in the same order", () => {
  assert.deepEqual(devicesOf(lineOf(boot)), devicesOf(lineOf(restore)));
  assert.equal(devicesOf(lineOf(boot)).length, 5);
});

test("only a boot shares its RAM with the file", () => {
  assert.ok(lineOf(boot).some((argument) => /mem-path=\/cache\/ram,share=on/.test(argument)));
  assert.ok(lineOf(restore).some((argument) => /mem-path=\/cache\/ram,share=off/.test(argument)));
  assert.ok(!lineOf(restore).some((argument) => argument.includes("share=on")));
});

test("a comma in a path does not become an option", () => {
  assert.ok(lineOf(restore).some((argument) => argument.includes("file.filename=/data/a,,b,")));
});

test("the sandbox is on, nothing comes from configuration files, and a reset does not restart", () => {
  for (const from of [boot, restore]) {
    const args = lineOf(from);
    assert.equal(
      args[args.indexOf("-sandbox") + 1],
      "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
    );
    for (const option of ["-nodefaults", "-no-user-config", "-no-reboot"]) assert.ok(args.includes(option));
  }
});

test("translation runs on several threads only where there are several processors", () => {
  assert.ok(lineOf(restore).some((argument) => argument.startsWith("tcg,thread=single,")));
  const two = lineOf(restore, { vcpus: 2, memoryMb: 128 });
  assert.ok(two.some((argument) => argument.startsWith("tcg,thread=multi,")));
});
