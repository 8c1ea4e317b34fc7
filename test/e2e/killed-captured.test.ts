/**
 * kill -9 of the daemon, and of the machine monitor, at the steps of a checkpoint, a branch, a template, a rewind and an
 * on-demand preparation of real machines: no disk and no captured memory is lost, and nothing is left.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, test } from "node:test";
import { buildBusybox, daemonForFile, removeAll } from "../kit/machine-test.ts";
import { machinesOf } from "../kit/processes.ts";
import { counting, memoryAt, remember, runRemembering } from "../kit/sleepers.ts";
import { come } from "../kit/steps.ts";
import { until } from "../kit/until.ts";
import { devicesFile } from "../kit/vmm/devices-file.ts";

const uni = await daemonForFile();
await buildBusybox(uni);

let database: DatabaseSync;
before(() => {
  database = new DatabaseSync(join(uni.dataDirectory, "uni.db"), { readOnly: true });
});
after(() => database.close());

const below = (...names: string[]) => join(uni.dataDirectory, ...names);
const list = (...names: string[]) => (existsSync(below(...names)) ? readdirSync(below(...names)) : []);
const rows = (table: string) => Number(database.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.["n"]);
const statusOf = (uuid: string) =>
  JSON.parse(
    String(database.prepare("SELECT status FROM instances WHERE uuid = ?").get(uuid)?.["status"] ?? "{}"),
  );

interface Scene {
  readonly uuid: string;
  /** Of the machine that is there before it begins. */
  readonly monitor: number;
  /** Names below snapshots/ before it begins. */
  readonly snapshots: readonly string[];
  /** Inode of the successor that a former capture left to its disk; undefined: none. */
  readonly nextDisk: number | undefined;
  readonly rows: Readonly<Record<string, number>>;
}

type Steps = Readonly<Record<string, (scene: Scene) => boolean>>;

/** It is there, and not empty. */
const holds = (path = "") => (statSync(path, { throwIfNoEntry: false })?.size ?? 0) > 0;
const newSnapshots = ({ snapshots }: Scene) => list("snapshots").filter((name) => !snapshots.includes(name));
const isWritten = (scene: Scene) =>
  newSnapshots(scene).some((name) => !name.includes(".") || holds(below("snapshots", name, "state")));
const isNamed = (scene: Scene) => newSnapshots(scene).some((name) => !name.includes("."));
const hasMore = (table: string) => (scene: Scene) => rows(table) > (scene.rows[table] ?? 0);
const newMonitors = ({ monitor }: Scene, uuid = "") => machinesOf(uuid).filter((pid) => pid !== monitor);

const standsStill = ({ uuid }: Scene) => holds(devicesFile(below("vm", uuid, "run")));
const nextDiskOf = (uuid: string) =>
  statSync(below("instances", uuid, "disk", "next.qcow2"), { throwIfNoEntry: false })?.ino;
const hasNextDisk = ({ uuid, nextDisk }: Scene) => ![undefined, nextDisk].includes(nextDiskOf(uuid));

interface Operation {
  readonly begin: () => Promise<unknown>;
  readonly steps: Steps;
  /** Whose monitor is killed: default its own. */
  readonly victims?: (scene: Scene) => number[];
  /** Though its monitor was killed at that step. */
  readonly keepsMemory?: (step: string) => boolean;
}

const preparation = {
  name: "made",
  ...{ autostart: true, timeout_s: 60 },
  template: {
    ...{ name: "prepared", prepare: true, prepare_timeout_s: 60 },
    create_args: {
      image: "busybox",
      args: ["sh", "-c", `echo 1 >/uk/libukp/template_instance; ${remember}`],
    },
  },
};
const prepareAndClone = () => uni.rest("POST", "/instances", preparation);

const operations: Readonly<Record<string, Operation>> = {
  checkpoint: {
    begin: () =>
      uni.rest("POST", "/instances/checkpoints", [{ from: { name: "web" }, name: "later", timeout_s: -1 }]),
    steps: {
      "its pages are about to be copied": (scene) => newSnapshots(scene).length > 0,
      "its processors stand": standsStill,
      "its devices are written": isWritten,
      "it is in the records": hasMore("saved_instances"),
    },
  },
  branch: {
    begin: () => uni.rest("POST", "/instances", { name: "copy", branch_from: { name: "web" } }),
    steps: {
      "its snapshot has its name": isNamed,
      "it is in the records": hasMore("instances"),
    },
  },
  template: {
    begin: () => uni.rest("POST", "/instances/templates", [{ name: "web", timeout_s: -1 }]),
    steps: {
      "its disk has a successor": hasNextDisk,
      "its devices are written": isWritten,
      "its snapshot has its name": isNamed,
      "it is in the records": hasMore("saved_instances"),
    },
  },
  rewind: {
    begin: () => uni.uni(["rewind", "web", "kept"]),
    keepsMemory: (step) => step !== "it has become itself",
    steps: {
      "the wish is written": ({ uuid }) => statusOf(uuid).origin?.entered === false,
      "its machine has ended": ({ uuid, monitor }) => !machinesOf(uuid).includes(monitor),
      "its new machine is there": (scene) => newMonitors(scene, scene.uuid).length > 0,
      "it runs and has not become itself": ({ uuid }) =>
        statusOf(uuid).origin?.entered === false && statusOf(uuid).state === "running",
      "it has become itself": (scene) =>
        newMonitors(scene, scene.uuid).length > 0 && statusOf(scene.uuid).origin?.entered === true,
    },
  },
  preparation: {
    begin: prepareAndClone,
    victims: (scene) => newMonitors(scene),
    keepsMemory: () => true,
    steps: {
      "what prepares is in the records": hasMore("instances"),
      "what prepares has its machine": (scene) => newMonitors(scene).length > 0,
      "its snapshot has its name": isNamed,
      "the template is in the records": hasMore("saved_instances"),
      "what was asked for has its machine": (scene) =>
        hasMore("saved_instances")(scene) && statusOf(idOf("made")).state !== "stopped",
    },
  },
};

const idOf = (name: string) =>
  String(database.prepare("SELECT uuid FROM instances WHERE name = ?").get(name)?.["uuid"] ?? "");
const nonceOf = async (name: string) => {
  const { private_ip: address } = await uni.json(["inspect", name]);
  return (await counting(`http://${address}:8080/`)).nonce;
};

/** Every instance runs or is stopped. */
const rest = () =>
  until("all come to rest", async () => {
    const all = (await uni.json(["ps", "-a"])) as { name: string; state: string }[];
    return all.every(({ state }) => state === "running" || state === "stopped") && all;
  });

let nonce = "";

/** The same one that runs and has a checkpoint, for as long as it lives. */
async function prepareScene(): Promise<Scene> {
  await removeAll(uni, ["web", "kept"]);
  const isThere = idOf("web") !== "" && statusOf(idOf("web")).state === "running";
  if (!isThere || (await nonceOf("web")) !== nonce) {
    await removeAll(uni);
    nonce = (await memoryAt(await runRemembering(uni, "web"))).nonce;
    await uni.ok(["exec", "web", "sh", "-c", "echo written >/file; sync"]);
    await uni.ok(["checkpoint", "create", "web", "--name", "kept"]);
  }
  const uuid = idOf("web");
  const [monitor] = machinesOf(uuid);
  assert.ok(monitor !== undefined);
  const counted = Object.fromEntries(["instances", "saved_instances"].map((table) => [table, rows(table)]));
  return { uuid, monitor, snapshots: list("snapshots"), nextDisk: nextDiskOf(uuid), rows: counted };
}

type Named = { readonly name: string; readonly state: string }[];
const has = (all: Named, name: string) => all.some((one) => one.name === name);

/** What is there has its memory; what lost it with its monitor has its disk. */
async function assertWhole(keeps: boolean): Promise<void> {
  const all = await rest();
  if (has(await uni.json(["template", "ls"]), "web")) {
    await uni.ok(["run", "--template", "web", "--name", "of-web"]);
    assert.equal(await nonceOf("of-web"), nonce);
    assert.equal(await uni.ok(["exec", "of-web", "cat", "/file"]), "written");
  } else {
    const web = all.find((one) => one.name === "web");
    assert.ok(web !== undefined, "it is gone");
    if (web.state === "stopped") await uni.ok(["start", "web"]);
    if (keeps || web.state === "running") assert.equal(await nonceOf("web"), nonce);
    assert.equal(await uni.ok(["exec", "web", "cat", "/file"]), "written");
  }
  for (const checkpoint of ["kept", "later"]) {
    if (checkpoint === "later" && !has(await uni.json(["checkpoint", "ls"]), "later")) continue;
    await uni.ok(["run", "--checkpoint", checkpoint, "--name", `of-${checkpoint}`]);
    assert.equal(await nonceOf(`of-${checkpoint}`), nonce);
  }
  if (has(all, "copy")) {
    await uni.uni(["start", "copy"]);
    assert.equal(await nonceOf("copy"), nonce);
  }
}

/** The same again succeeds, whatever was left half done. */
async function assertPreparesAgain(): Promise<void> {
  await until("no preparation is left", async () => {
    assert.deepEqual(
      (await rest()).map((one) => one.name).filter((name) => name.startsWith("prepared")),
      [],
    );
    return true;
  });
  if (idOf("made") !== "") await uni.ok(["rm", "-f", "made"]);
  const { status, body } = await prepareAndClone();
  assert.equal(status, 200, JSON.stringify(body));
  assert.match(await nonceOf("made"), /^[0-9a-f-]{36}$/);
}

/** Snapshots may be needed by the one that stays, and asides by nobody. */
async function assertNothingLeaks(): Promise<void> {
  await removeAll(uni, has(await uni.json(["template", "ls"]), "web") ? ["kept"] : ["web", "kept"]);
  const web = idOf("web");
  await until("nothing is left but what stays", () => {
    const left = ["instances", "vm"].flatMap((name) => list(name)).filter((name) => name !== web);
    const asides = list("snapshots").filter((name) => name.includes("."));
    const strange = machinesOf().filter((pid) => !machinesOf(web).includes(pid));
    assert.deepEqual([...left, ...asides, ...strange], []);
    assert.ok(list("snapshots").length <= 2, "that of the checkpoint, and what its memory stands on");
    return true;
  });
}

for (const [name, { begin, steps, victims, keepsMemory = () => false }] of Object.entries(operations)) {
  for (const [step, isReached] of Object.entries(steps)) {
    for (const lost of ["daemon", "monitor"] as const) {
      test(`the ${lost} is killed in a ${name}, when ${step}`, async () => {
        const scene = await prepareScene();
        const done = begin().catch(() => {});
        await come(step, () => isReached(scene));
        if (lost === "daemon") {
          await uni.kill();
          await done;
          await uni.start();
        } else {
          for (const pid of victims?.(scene) ?? machinesOf(scene.uuid)) process.kill(pid, "SIGKILL");
          await done;
        }
        await assertWhole(lost === "daemon" || keepsMemory(step));
        if (name === "preparation") await assertPreparesAgain();
        await assertNothingLeaks();
      });
    }
  }
}

test("nothing is left of all of them", async () => {
  await removeAll(uni);
  await until("nothing is left", () => {
    const left = ["snapshots", "layers", "instances", "vm"].flatMap((name) => list(name));
    assert.deepEqual([...left, ...machinesOf()], []);
    return true;
  });
});
