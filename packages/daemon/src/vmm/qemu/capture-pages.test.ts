/** The helper that copies the pages of a process that goes on, and the library that lays deltas over each other. */
import { enterOwnNamespaces } from "../../../../../test/kit/own-namespaces.ts";

enterOwnNamespaces();

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { release, tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";
import { devicesFile } from "../../../../../test/kit/vmm/devices-file.ts";
import {
  buildWriter,
  type Delta,
  indexOf,
  makeRam,
  mostRuns,
  nativeProgram,
  pageBytes,
  readDelta,
  startWriter,
  textOf,
  type Writer,
} from "../../../../../test/kit/vmm/scattered-writer.ts";
import { type Conversation, converse } from "../../host/process.ts";
import { type Script, ScriptedQmp } from "./scripted-qmp.ts";

let directory: string;
let run: string;
let writer: Writer | undefined;
let helper: Conversation | undefined;
const monitors: ScriptedQmp[] = [];

before(() => {
  directory = mkdtempSync(join(tmpdir(), "capture-"));
  run = join(directory, "run");
  mkdirSync(run);
  buildWriter(directory);
});
afterEach(async () => {
  await writer?.end();
  helper?.end();
  for (const monitor of monitors.splice(0)) await monitor.close();
});
after(() => rmSync(directory, { recursive: true, force: true }));

interface Capturing {
  readonly writer: Writer;
  readonly path: string;
  readonly save: ScriptedQmp;
  readonly change: ScriptedQmp;
  ask(line?: string): Promise<string>;
  /** Another one begins. */
  again(): void;
  read(): Delta;
}

const outputs = ["delta", "index", "state"] as const;
const ready = [
  "ready",
  ...["give", "save", "switch", "take back"].map((execute) => JSON.stringify({ execute })),
].join("\n");
const writeDevices = (content: string | Buffer) =>
  writeFileSync(devicesFile(run) ?? assert.fail("nothing was given"), content);
const saveDevices: Script = (command) => {
  if (command === "save") writeDevices("of the devices");
  return {};
};

const [major = 0, minor = 0] = release().split(".").map(Number);
const notes = major > 6 || (major === 6 && minor >= 7) || "the kernel notes no writes";

/** `offers`: the process lets the kernel note what it writes, as one with the library does. */
async function capture(
  pages: number,
  every: number,
  { oldIndexes = [], offers = false }: { oldIndexes?: string[]; offers?: boolean } = {},
): Promise<Capturing> {
  const ram = makeRam(directory, pages);
  const library = [`LD_PRELOAD=${nativeProgram("preload.so")}`, `UNI_RAM_FILE=${ram}`];
  writer = await startWriter(directory, ram, every, offers ? ["env", ...library] : []);
  const [path = "", index = "", state = ""] = outputs.map((name) => join(directory, name));
  for (const file of [path, index, state]) writeFileSync(file, "");
  const args = [`${writer.pid}`, `${statSync(ram).size}`, run, path, index, state, ...oldIndexes];
  const again = () => {
    helper?.end();
    helper = converse(nativeProgram("capture"), args);
  };
  const [save, change] = [await listen("save", saveDevices), await listen("disk", () => ({}))];
  again();
  const ask = (line?: string) => helper?.ask(line) ?? assert.fail("no helper");
  return { writer, path, save, change, ask, again, read: () => readDelta(path, index) };
}

async function listen(name: string, script: Script): Promise<ScriptedQmp> {
  const monitor = await ScriptedQmp.listen(join(run, name), script);
  monitors.push(monitor);
  return monitor;
}

for (const offers of [false, true]) {
  const how = offers ? "as the kernel notes it" : "by comparing";

  test(`what was written by the instant is in it, and nothing later, ${how}`, async () => {
    const capturing = await capture(1000, 100, { offers });
    const { save, change } = capturing;
    assert.match(await capturing.ask(), /^(copied|noted) 10$/, "zeros are there already");
    assert.equal(await capturing.ask(ready), "ready");
    assert.deepEqual([save.commands, change.commands], [["qmp_capabilities", "give"], ["qmp_capabilities"]]);
    assert.equal(statSync(capturing.path).size, 0, "the disk is written too early");
    await capturing.writer.write(200, "again");
    await capturing.writer.write(250, "new");
    await capturing.writer.write(300, "-");
    // While it stands, somebody speaks to its agent.
    save.script = async (command) => {
      if (command !== "save") return {};
      const isFirst = save.commands.length === 3;
      writeDevices(isFirst ? "as it was before" : "after");
      if (isFirst) await capturing.writer.write(250, "newer");
      assert.deepEqual(change.commands, ["qmp_capabilities"]);
      save.event("STOP");
      return {};
    };
    // What is noted is read again when it is known to have changed.
    assert.equal(await capturing.ask("take"), offers && notes === true ? "read 4" : "read 3");
    assert.equal(await capturing.ask(), "taken");
    assert.deepEqual(change.commands.slice(1), ["switch"]);
    assert.ok(save.commands.slice(2).every((command) => command === "save"));
    await capturing.writer.write(200, "late");
    await capturing.writer.write(260, "late");
    assert.equal(await capturing.ask("write"), "written 13");
    assert.equal(save.commands.at(-1), "take back");
    const { pages } = capturing.read();
    const texts = [100, 200, 250, 300, 1].map((page) => textOf(pages.get(page)));
    assert.deepEqual(texts, ["page 100", "again", "newer", "", ""]);
    assert.deepEqual(pages.get(300), Buffer.alloc(pageBytes));
    assert.equal(pages.has(260), false);
    assert.equal(readFileSync(join(directory, "state"), "utf8"), "after");
  });

  test(`a machine whose memory or devices do not stand still keeps its disk, ${how}`, async () => {
    const capturing = await capture(1000, 100, { offers });
    await capturing.ask();
    await capturing.ask(ready);
    let times = 0;
    capturing.save.script = async () => {
      writeDevices(`${++times}`);
      await capturing.writer.write(250, `${times}`);
      return {};
    };
    assert.equal(await capturing.ask("take"), "failed read the machine: its devices do not stand still");
    assert.ok(times >= 10, `${times}`);
    assert.deepEqual(capturing.change.commands, ["qmp_capabilities"]);
  });

  test(`pages of deltas that it is to stand in for are in it, and the many runs of a scattered one fit, ${how}`, async () => {
    const olds = [join(directory, "old1"), join(directory, "old2")];
    writeFileSync(olds[0] ?? "", indexOf([[151, 20]]));
    writeFileSync(
      olds[1] ?? "",
      indexOf([
        [5, 1],
        [160, 15],
      ]),
    );
    const capturing = await capture(2 * (mostRuns + 100), 2, { oldIndexes: olds, offers });
    assert.match(await capturing.ask(), /^(copied|noted) /);
    await capturing.ask(ready);
    await capturing.writer.write(151, "mine");
    await capturing.ask("take");
    assert.equal(await capturing.ask(), "taken");
    assert.match(await capturing.ask("write"), /^written /);
    const { pages, runs } = capturing.read();
    assert.ok(runs <= mostRuns, `${runs} runs`);
    assert.equal(textOf(pages.get(151)), "mine");
    assert.deepEqual(pages.get(173), Buffer.alloc(pageBytes, "r"));
    for (let page = 0; page < 2 * (mostRuns + 100); page += 2) {
      assert.equal(textOf(pages.get(page)), `page ${page}`);
    }
  });
}

test("what QEMU refuses or does not do is told, and the disk is switched only after all is read", async () => {
  const refuse = (why: string) => () => {
    throw new Error(why);
  };
  const cases: [what: string, save: (monitor: ScriptedQmp) => unknown, said: RegExp][] = [
    ["no save", refuse("An IO error has occurred"), /^failed ask QEMU: An IO error has occurred$/],
    ["no answer", (save) => save.drop(), /^failed ask QEMU: (it closed the connection|Connection reset)/],
    ["nothing", () => ({}), /^failed read the devices: it holds no device state$/],
    [
      "too much",
      () => {
        writeDevices(Buffer.alloc((16 << 20) + 1));
        return {};
      },
      /^failed read the devices: it holds no device state$/,
    ],
  ];
  const capturing = await capture(100, 10);
  for (const [what, save, said] of cases) {
    capturing.save.script = saveDevices;
    capturing.again();
    await capturing.ask();
    assert.equal(await capturing.ask(ready), "ready", what);
    capturing.save.script = () => save(capturing.save);
    assert.match(await capturing.ask("take"), said, what);
    assert.ok(!capturing.change.commands.includes("switch"), what);
  }
  capturing.again();
  await capturing.ask();
  await capturing.ask(ready);
  capturing.save.script = saveDevices;
  capturing.change.script = refuse("no such node");
  assert.equal(await capturing.ask("take"), "read 0");
  assert.equal(await capturing.ask(), "failed ask QEMU: no such node");
  capturing.save.script = refuse("no descriptor came with it");
  capturing.again();
  await capturing.ask();
  assert.equal(await capturing.ask(ready), "failed ask QEMU: no descriptor came with it");
  capturing.save.script = saveDevices;
  await capturing.change.close();
  const others = await listen("of-another-machine", saveDevices);
  symlinkSync(join(run, "of-another-machine"), join(run, "disk"));
  capturing.again();
  await capturing.ask();
  assert.match(await capturing.ask(ready), /^failed .*disk: /);
  assert.deepEqual(others.commands, []);
  rmSync(join(run, "disk"));
  capturing.again();
  await capturing.ask();
  assert.match(await capturing.ask(ready), /^failed .*disk: (No such file|Connection refused)/);
});

/** Of the memory of a process: its writes are noted. */
const areNoted = (pid: number): boolean =>
  readFileSync(`/proc/${pid}/smaps`, "utf8")
    .split("\n")
    .some((line) => /^VmFlags:.* uw\b/.test(line));

test("the kernel notes writes until the machine has gone on, and again for the next capture", {
  skip: notes !== true && notes,
}, async () => {
  const capturing = await capture(1000, 100, { offers: true });
  for (const round of ["first", "second"]) {
    assert.equal(await capturing.ask(), "noted 10");
    assert.equal(areNoted(capturing.writer.pid), true);
    await capturing.ask(ready);
    await capturing.writer.write(100, round);
    assert.equal(await capturing.ask("take"), "read 1");
    assert.equal(await capturing.ask(), "taken");
    assert.equal(await capturing.ask("write"), "written 12");
    assert.equal(areNoted(capturing.writer.pid), false);
    assert.equal(textOf(capturing.read().pages.get(100)), round);
    capturing.again();
  }
});

test("of memory that was never touched before, what is written is taken and its neighbours are not", {
  skip: notes !== true && notes,
}, async () => {
  const capturing = await capture(4096, 4096, { offers: true });
  assert.equal(await capturing.ask(), "noted 1");
  await capturing.ask(ready);
  await capturing.writer.write(3000, "far");
  capturing.save.script = async (command, args) => {
    if (capturing.save.commands.length === 3) await capturing.writer.write(3001, "near");
    return saveDevices(command, args);
  };
  assert.equal(await capturing.ask("take"), "read 2");
  assert.equal(await capturing.ask(), "taken");
  assert.match(await capturing.ask("write"), /^written /);
  const { pages } = capturing.read();
  assert.deepEqual(
    [3000, 3001].map((page) => textOf(pages.get(page))),
    ["far", "near"],
  );
  assert.deepEqual(
    [2999, 3002].map((page) => pages.has(page)),
    [false, false],
  );
});

test("a full disk is told, and room on it lets it be written after all", async () => {
  const small = join(directory, "small");
  mkdirSync(small);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "none", small]);
  try {
    const capturing = await capture(1000, 2);
    await capturing.ask();
    helper?.end();
    const [path = "", index = "", state = ""] = outputs.map((name) => join(small, name));
    for (const file of [path, index, state]) writeFileSync(file, "");
    const args = [`${capturing.writer.pid}`, `${1000 * pageBytes}`, run, path, index, state];
    helper = converse(nativeProgram("capture"), args);
    await helper.ask();
    await helper.ask(ready);
    await helper.ask("take");
    assert.equal(await helper.ask(), "taken");
    assert.equal(await helper.ask("write"), "failed write: No space left on device");
    execFileSync("mount", ["-o", "remount,size=8m", small]);
    assert.match(await helper.ask("write"), /^written /);
    assert.equal(textOf(readDelta(path, index).pages.get(10)), "page 10");
  } finally {
    execFileSync("umount", ["-l", small]);
  }
});

test("it ends with its input, and says why it ends when the process is gone", async () => {
  const capturing = await capture(100, 2);
  await capturing.ask();
  await capturing.ask(ready);
  const args = [`${capturing.writer.pid}`, `${100 * pageBytes}`, run, ...Array(3).fill(capturing.path)];
  const other = spawn(nativeProgram("capture"), args, { stdio: ["pipe", "pipe", "inherit"] });
  await once(other.stdout, "data");
  other.stdin.end();
  assert.deepEqual(await once(other, "exit"), [0, null]);
  await capturing.writer.end();
  await assert.rejects(capturing.ask("take"), /read the machine's/);
  await assert.rejects(capturing.ask("take"), /read the machine's/);
});

test("three deltas as scattered as they may be are laid over a machine's memory, the last one on top", async () => {
  const pages = 6 * mostRuns;
  const ram = makeRam(directory, pages);
  const files: string[] = [];
  for (const [at, offset] of [0, 2, 4].entries()) {
    const [delta, index] = [join(directory, `delta${at}`), join(directory, `index${at}`)];
    const runs = Array.from({ length: mostRuns - 1 }, (_, run) => [6 * run + offset, 1] as const);
    // One page that each of them has.
    writeFileSync(index, indexOf([...runs, [pages - 1, 1]]));
    writeFileSync(delta, Buffer.alloc(mostRuns * pageBytes, `${at}`));
    files.push(delta, index);
  }
  const uid = "1073741900";
  for (const path of [directory, join(directory, "writer"), ram]) execFileSync("chmod", ["a+rx", path]);
  const preload = join(directory, "preload.so");
  execFileSync("install", ["-m", "444", nativeProgram("preload.so"), preload]);
  const inputs = [ram, ...files].flatMap((path) => ["--input", path]);
  const names = { LD_PRELOAD: preload, UNI_RAM_FILE: ram, UNI_DELTAS: "4,5 6,7 8,9 " };
  const env = Object.entries(names).flatMap(([name, value]) => ["--env", `${name}=${value}`]);
  const start = [nativeProgram("launch"), "--uid", uid, ...inputs, ...env, "--"];
  writer = await startWriter(directory, ram, 0, start);
  const maps = readFileSync(`/proc/${writer.pid}/maps`, "utf8").split("\n").length;
  assert.ok(maps > 6 * (mostRuns - 1), `${maps} mappings: the deltas are not there`);
  assert.ok(maps < 65530 - 1000, `${maps} mappings leave QEMU too few of its own`);
  const [path, index] = [join(directory, "all"), join(directory, "all-index")];
  for (const file of [path, index]) writeFileSync(file, "");
  const everything = join(directory, "everything");
  writeFileSync(everything, indexOf([[0, pages]]));
  const args = [`${writer.pid}`, `${pages * pageBytes}`, path, index, everything];
  execFileSync(nativeProgram("delta"), args);
  const read = readDelta(path, index).pages;
  const firstOf = (page: number) => read.get(page)?.toString("latin1", 0, 1);
  assert.deepEqual([0, 1, 2, 3, 4, 5, pages - 1].map(firstOf), ["0", "r", "1", "r", "2", "r", "2"]);
});
