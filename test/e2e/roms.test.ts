/** ROMs as users give them, in real machines. */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { buildBusybox, daemonForFile, idle, runScript } from "../kit/machine-test.ts";

const uni = await daemonForFile();
await buildBusybox(uni);

function directoryOf(name: string, text: string): string {
  const directory = join(uni.directory, name);
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "text"), `${text}\n`);
  return directory;
}

const inGuest = async (name: string, script: string): Promise<string> =>
  (await uni.ok(["exec", name, "sh", "-c", script])).trim();

test("each clone has a ROM of its own beside those of its template, and another one from its next wake on", async () => {
  const code = directoryOf("code", "code");
  // A boot would draw another.
  const nonce = "cat /proc/sys/kernel/random/uuid >/nonce";
  await runScript(uni, "base", `${nonce}; ${idle}`, [
    ...["--rom", `name=code,dir=${code},at=/code`],
    ...["--rom", "name=tools,image=busybox,at=/tools"],
  ]);
  assert.equal(await inGuest("base", "cat /code/text"), "code");
  assert.match(await inGuest("base", "ls /tools/bin"), /busybox/);
  const drawn = await inGuest("base", "cat /nonce");
  await uni.ok(["template", "create", "base"]);
  for (const name of ["one", "two"]) {
    const rom = `name=data,dir=${directoryOf(name, `of ${name}`)},at=/data`;
    await uni.ok(["run", "--template", "base", "--name", name, "--rom", rom]);
  }
  for (const name of ["one", "two"]) {
    assert.equal(await inGuest(name, "cat /nonce /code/text /data/text"), `${drawn}\ncode\nof ${name}`);
    assert.match(await inGuest(name, "ls /dev"), /ukp_rom_code\nukp_rom_data\nukp_rom_tools/);
    assert.match(await inGuest(name, "touch /data/x 2>&1 || true"), /Read-only/);
  }
  await uni.ok(["template", "rm", "base"]);
  const next = directoryOf("next", "another");
  await uni.ok(["update", "one", "--rom", `name=data,dir=${next},at=/data`]);
  assert.equal(await inGuest("one", "cat /data/text"), "of one");
  await uni.ok(["suspend", "one"]);
  await uni.ok(["start", "one"]);
  assert.equal(await inGuest("one", "cat /nonce /code/text /data/text"), `${drawn}\ncode\nanother`);
  await uni.ok(["update", "one", "--rm-rom", "data"]);
  await uni.ok(["suspend", "one"]);
  await uni.ok(["start", "one"]);
  assert.equal(await inGuest("one", "ls /dev | grep -c ukp_rom_data || true"), "0");
  assert.equal(await inGuest("two", "cat /data/text"), "of two");
});

test("a new ROM that is damaged does not cost a sleeper its memory: it goes on with the former one, and says so", async () => {
  const nonce = "cat /proc/sys/kernel/random/uuid >/dev/shm/nonce";
  const mounted = `mkdir -p /dev/shm; mount -t tmpfs none /dev/shm; ${nonce}; ${idle}`;
  const code = directoryOf("kept", "kept");
  await runScript(uni, "sleeper", mounted, ["--rom", `name=code,dir=${code},at=/code`]);
  const drawn = await inGuest("sleeper", "until [ -s /dev/shm/nonce ]; do :; done; cat /dev/shm/nonce");
  const roots = () =>
    readdirSync(join(uni.dataDirectory, "images"), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".erofs"))
      .map((name) => join(uni.dataDirectory, "images", name));
  const before = roots();
  const image = directoryOf("image", "of the image");
  await uni.ok(["build", image, "--rootfs", "-t", "code:next"]);
  await uni.ok(["update", "sleeper", "--rom", "name=code,image=code:next,at=/code"]);
  const pending = await uni.json(["inspect", "sleeper"]);
  assert.equal(pending.updates[0].status, "pending");
  const [root] = roots().filter((name) => !before.includes(name));
  assert.ok(root !== undefined);
  writeFileSync(root, Buffer.alloc(8192, "damage"));
  await uni.ok(["suspend", "sleeper"]);
  await uni.ok(["start", "sleeper"]);
  assert.equal(await inGuest("sleeper", "cat /dev/shm/nonce /code/text"), `${drawn}\nkept`);
  const { updates, roms } = await uni.json(["inspect", "sleeper"]);
  assert.equal(updates[0].status, "failed");
  assert.match(updates[0].error, /mount \(EROFS\) the ROM code/);
  assert.equal(roms[0].files[0].path, "text");
  const logs = await uni.uni(["logs", "sleeper"]);
  assert.match(`${logs.stdout}${logs.stderr}`, /it goes on with the ROMs that it had/);
  // A new try takes the place of the one that failed.
  const better = directoryOf("better", "better");
  await uni.ok(["update", "sleeper", "--rom", `name=code,dir=${better},at=/code`]);
  await uni.ok(["suspend", "sleeper"]);
  await uni.ok(["start", "sleeper"]);
  assert.equal(await inGuest("sleeper", "cat /dev/shm/nonce /code/text"), `${drawn}\nbetter`);
  assert.equal((await uni.json(["inspect", "sleeper"])).updates, undefined);
});
