/** ROMs in real guests: disks that no boot snapshot knew, kept over sleeps and captures, and others in their place. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { systemClock as clock } from "../../packages/daemon/src/base/clock.ts";
import { silentLog } from "../../packages/daemon/src/base/log.ts";
import { createGuestConnector } from "../../packages/daemon/src/guest/connector.ts";
import type { GuestChannel, GuestRom } from "../../packages/daemon/src/guest/port.ts";
import type { Machine, MachineSpec, RomSpec } from "../../packages/daemon/src/vmm/port.ts";
import { machinesForFile } from "../kit/qemu-machines.ts";
import { configOf, exec, fails } from "../kit/test-agent.ts";
import { until } from "../kit/until.ts";

const signal = AbortSignal.timeout(240_000);
const { machines, vmm } = await machinesForFile();
const connector = createGuestConnector({ clock, log: silentLog });
const connect = (machine: Machine, logOffset: number | "anew") =>
  connector.connect(machine.agentSocket, { logOffset, signal });

/** An image whose file `text` says its name. */
function makeRom(name: string, megabytes = 0): string {
  const directory = join(machines.directory, `rom-${name}`);
  const path = `${directory}.erofs`;
  mkdirSync(directory);
  writeFileSync(join(directory, "text"), `${name}\n`);
  for (let part = 0; part < megabytes; part++) {
    writeFileSync(join(directory, `${part}`), Buffer.alloc(1 << 20, `${name}${part}`));
  }
  execFileSync("mkfs.erofs", ["--quiet", path, directory]);
  chmodSync(path, 0o444);
  return path;
}

const first = { slot: 0, path: makeRom("first") };
const second = { slot: 1, path: makeRom("second", 3) };
const third = { slot: 2, path: makeRom("third") };

async function shell(channel: GuestChannel, line: string): Promise<string> {
  const { stdout, stderr } = await exec(channel, ["sh", "-c", line]);
  return stdout + stderr;
}

async function start(roms: readonly RomSpec[]) {
  const spec = { ...(await machines.newSpec()), roms };
  const machine = await vmm.start(spec, signal);
  machines.keep(machine);
  return { spec, machine, channel: await connect(machine, 0) };
}

const configure = (channel: GuestChannel, roms: readonly GuestRom[]) =>
  channel.configure(configOf([], { mode: "maintenance", roms }));

/** Over the disk, with these ROMs. */
async function nap(spec: MachineSpec, machine: Machine, roms: readonly RomSpec[]) {
  const directory = `${spec.directory}-sleep`;
  await machine.pause();
  await machine.suspend(directory, signal);
  await machine.kill();
  const next = { ...spec, roms };
  const resumed = await vmm.resume(next, directory, signal);
  machines.keep(resumed);
  await resumed.resume();
  return { spec: next, machine: resumed, channel: await connect(resumed, 0) };
}

test("a ROM is a device, read-only, and mounted where it is wanted; a bare one is a device alone", async () => {
  const { machine, channel } = await start([first, second]);
  await configure(channel, [
    { name: "code", at: "/srv/deep/code", slot: 1 },
    { name: "raw", slot: 0 },
  ]);
  assert.equal(
    await shell(channel, "cat /srv/deep/code/text; stat -c '%F %a' /dev/ukp_rom_*"),
    "second\nblock special file 444\nblock special file 444\n",
  );
  assert.match(await shell(channel, "touch /srv/deep/code/x"), /Read-only/);
  assert.match(await shell(channel, "grep ' /srv/deep/code ' /proc/mounts"), /erofs ro,/);
  assert.equal(
    await shell(channel, "mkdir /mnt; mount -t erofs -o ro /dev/ukp_rom_raw /mnt 2>&1; cat /mnt/text"),
    "first\n",
  );
  await channel.close();
  await machine.kill();
});

test("a ROM is mounted neither over the agent's own files nor over a file, and one that is not there is named", async () => {
  const { machine, channel } = await start([first]);
  await configure(channel, []);
  for (const at of ["/uk", "/uk/libukp", "//uk/x", "/srv/../uk", "/"]) {
    await assert.rejects(channel.refresh([{ name: "code", at, slot: 0 }]), fails(/no ROM is mounted at/));
  }
  await assert.rejects(
    channel.refresh([{ name: "code", at: "/etc/passwd", slot: 0 }]),
    fails(/\/etc\/passwd/),
  );
  await channel.refresh([{ name: "code", at: "/code", slot: 0 }]);
  assert.equal(await shell(channel, "cat /code/text"), "first\n");
  await channel.close();
  await machine.kill();
});

test("after a nap a ROM is there as before, another takes its place, and in the end there is none", async () => {
  let { spec, machine, channel } = await start([first]);
  await configure(channel, [{ name: "code", at: "/code", slot: 0 }]);
  await channel.close();
  // As before: files that are open stay so.
  ({ spec, machine, channel } = await nap(spec, machine, [first]));
  await channel.refresh([{ name: "code", at: "/code", slot: 0 }]);
  assert.equal(await shell(channel, "cat /code/text"), "first\n");
  // Another, in another slot; who reads from the first goes on.
  const reader = await channel.exec({
    argv: ["sh", "-c", "exec 3</code/text; echo open; read go; cat <&3"],
    env: {},
  });
  let printed = "";
  reader.io.on("data", (chunk) => {
    printed += chunk;
  });
  await until("the file is open", () => printed === "open\n");
  await channel.refresh([]);
  assert.match(
    await shell(channel, "cat /code/text; ls /dev/ukp_rom_code"),
    /No such file.*\n.*No such file/,
  );
  reader.io.write("go\n");
  assert.equal(await reader.exitCode, 0);
  assert.equal(printed, "open\nfirst\n");
  await channel.close();
  ({ spec, machine, channel } = await nap(spec, machine, [first, second]));
  await channel.refresh([{ name: "code", at: "/code", slot: 1 }]);
  assert.equal(await shell(channel, "cat /code/text; md5sum </code/2 | cut -c 1-4 | wc -l"), "second\n1\n");
  await channel.close();
  // The slot that nothing uses any more gets other contents.
  ({ spec, machine, channel } = await nap(spec, machine, [{ ...third, slot: 0 }, second]));
  await channel.refresh([
    { name: "code", at: "/code", slot: 1 },
    { name: "more", at: "/more", slot: 0 },
  ]);
  assert.equal(await shell(channel, "cat /code/text /more/text"), "second\nthird\n");
  await channel.refresh([]);
  await channel.close();
  ({ spec, machine, channel } = await nap(spec, machine, []));
  await channel.refresh([]);
  assert.match(await shell(channel, "cat /code/text"), /No such file/);
  await channel.close();
  await machine.kill();
});

test("one that cannot be mounted changes nothing: the former ROM stays, for who reads it too", async () => {
  const bad = join(machines.directory, "rom-bad.erofs");
  writeFileSync(bad, Buffer.alloc(8192, "bad"));
  chmodSync(bad, 0o444);
  let { spec, machine, channel } = await start([first]);
  await configure(channel, [{ name: "code", at: "/code", slot: 0 }]);
  await shell(channel, "mkfifo /go; (exec 3</code/text; read go </go; cat <&3 >/read) >/dev/null 2>&1 &");
  await channel.close();
  ({ spec, machine, channel } = await nap(spec, machine, [
    first,
    { slot: 1, path: bad },
    { ...third, slot: 2 },
  ]));
  const refused = (slot: number, at: string) => [
    { name: "more", at: "/more", slot: 2 },
    { name: "code", at, slot },
  ];
  await assert.rejects(channel.refresh(refused(1, "/code")), fails(/mount \(EROFS\) the ROM code: Invalid/));
  // A place that is a file, and another one for the disk that is there.
  await assert.rejects(channel.refresh(refused(0, "/etc/passwd")), fails(/\/etc\/passwd/));
  assert.equal(await shell(channel, "ls -A /dev | grep rom; cat /code/text"), "ukp_rom_code\nfirst\n");
  await channel.refresh([{ name: "code", at: "/code", slot: 0 }]);
  assert.equal(await shell(channel, "ls /more; cat /code/text"), "first\n");
  // The same disk under another name, at another place: what was open is read on.
  await channel.refresh([{ name: "other", at: "/other", slot: 0 }]);
  const script =
    "echo >/go; until [ -s /read ]; do :; done; cat /read /other/text; ls /code; ls -A /dev | grep rom";
  assert.equal(await shell(channel, script), "first\nfirst\nukp_rom_other\n");
  await channel.close();
  await machine.kill();
});

test("clones of one capture have ROMs that their source had not", async () => {
  const source = await start([]);
  await configure(source.channel, []);
  const directory = join(machines.directory, "captured");
  const { disk, nextDisk } = await machines.prepareNext(source.spec);
  const capture = await source.machine.capture({ directory, disk, nextDisk }, signal);
  await source.machine.pause();
  await capture.take(signal);
  await capture.publish(signal);
  await source.channel.close();
  await source.machine.kill();
  for (const rom of [first, second]) {
    const spec = { ...(await machines.cloneSpec(disk)), roms: [rom] };
    const machine = await vmm.resume(spec, directory, signal);
    machines.keep(machine);
    await machine.resume();
    const channel = await connect(machine, "anew");
    const { program: _, mode: __, ...identity } = configOf([]);
    const roms = [{ name: "code", at: "/code", slot: rom.slot }];
    await channel.become({ ...identity, kind: "template", mac: spec.network.mac, roms });
    assert.equal(await shell(channel, "cat /code/text"), rom === first ? "first\n" : "second\n");
    await channel.close();
    await machine.kill();
  }
});
