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
  romSlots: [],
  ramPath: "/cache/ram",
  stateDescriptor: 3,
  tapDescriptor: 10,
  spec: {
    root: { path: "/images/root", format: "raw", readOnly: true },
    writable: { path: "/data/a,b", format: "qcow2", readOnly: false },
    network: { tap: "tap0", mac: "02:00:00:00:00:01" },
    roms: [],
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
  assert.equal(devicesOf(lineOf(boot)).length, 6);
});

test("each ROM is a disk of its slot, and a slot that only the snapshot knows is an empty one", () => {
  const args = lineOf({
    ...restore,
    spec: { ...restore.spec, roms: [{ slot: 2, path: "/roms/a,b" }] },
    romSlots: [0, 2],
  });
  const disks = args.filter((argument) => /node-name=rom/.test(argument));
  assert.match(disks[0] ?? "", /^driver=null-co,node-name=rom0,/);
  assert.match(disks[1] ?? "", /^driver=raw,node-name=rom2,read-only=on,.*file\.filename=\/roms\/a,,b,/);
  assert.deepEqual(
    devicesOf(args)
      .slice(6)
      .map((device) => device.replace(/.*(lun=\d+,drive=\w+).*/, "$1")),
    ["lun=0,drive=rom0", "lun=2,drive=rom2"],
  );
});

test("only a boot shares its RAM with the file", () => {
  assert.ok(lineOf(boot).some((argument) => /mem-path=\/cache\/ram,share=on/.test(argument)));
  assert.ok(lineOf(restore).some((argument) => /mem-path=\/cache\/ram,share=off/.test(argument)));
  assert.ok(!lineOf(restore).some((argument) => argument.includes("share=on")));
});

test("a guest that was restored does not announce itself to a network that knows it", () => {
  const args = lineOf(restore);
  assert.ok(args.includes("migration.announce-rounds=0"));
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
