import assert from "node:assert/strict";
import { test } from "node:test";
import { recordOf } from "../instances/test-records.ts";
import { fakeImage } from "./fake-host.ts";
import { guestConfig, programArguments } from "./guest-config.ts";

type List = readonly string[];

/** As Docker has it; null is "not given". */
const table: readonly [
  entrypoint: List,
  cmd: List,
  ownEntrypoint: List | null,
  ownArgs: List | null,
  List,
][] = [
  [[], ["cmd"], null, null, ["cmd"]],
  [["entry"], [], null, null, ["entry"]],
  [["entry"], ["cmd"], null, null, ["entry", "cmd"]],
  [["entry"], ["cmd"], null, ["own"], ["entry", "own"]],
  [["entry"], ["cmd"], null, [], ["entry", "cmd"]],
  [["entry"], ["cmd"], ["other"], null, ["other"]],
  [["entry"], ["cmd"], ["other"], ["own"], ["other", "own"]],
  [["entry"], ["cmd"], ["other", "-x"], [], ["other", "-x"]],
  [["entry"], ["cmd"], [], null, ["cmd"]],
  [["entry"], ["cmd"], [], ["own"], ["own"]],
  [[], [], null, ["own"], ["own"]],
  [[], [], null, null, []],
];

for (const [entrypoint, cmd, own, args, expected] of table) {
  test(`ENTRYPOINT ${JSON.stringify(entrypoint)} CMD ${JSON.stringify(cmd)} with ${JSON.stringify([own, args])}`, () => {
    assert.deepEqual(programArguments({ entrypoint, cmd }, own, args), expected);
  });
}

const around = {
  gateway: "169.254.1.1",
  nameservers: ["192.0.2.1"],
  mode: "run",
  roms: [],
  window: { rows: 24, columns: 80 },
} as const;
const image = { ...fakeImage.config, env: { A: "image", B: "image" }, user: "app", workingDirectory: "/srv" };

test("the image's values hold where the owner says nothing", () => {
  const config = guestConfig(recordOf(1, { name: "Web_1" }), image, around);
  assert.deepEqual(config.program, {
    argv: ["serve"],
    env: { A: "image", B: "image" },
    user: "app",
    workingDirectory: "/srv",
    stopSignal: 15,
    stdinOpen: false,
  });
  assert.deepEqual([config.hostname, config.network.nameservers], ["web-1", ["192.0.2.1"]]);
  assert.match(config.machineId, /^[0-9a-f]{32}$/);
});

test("the owner's values are laid over them", () => {
  const record = recordOf(1, {
    request: {
      env: { B: "own" },
      user: "0",
      working_directory: "/",
      hostname: "db",
      nameserver: "192.0.2.9",
      args: ["x"],
    },
  });
  const config = guestConfig(record, { ...image, stopSignal: "SIGQUIT" }, around);
  const { argv, env, user, workingDirectory, stopSignal } = config.program;
  assert.deepEqual([argv, env, user, workingDirectory], [["x"], { A: "image", B: "own" }, "0", "/"]);
  assert.deepEqual([stopSignal, config.hostname, config.network.nameservers], [3, "db", ["192.0.2.9"]]);
});

test("no program is an error that names the instance; an unknown stop signal too", () => {
  const record = recordOf(1, { name: "web" });
  assert.throws(
    () => guestConfig(record, { ...image, cmd: [] }, around),
    /'web': its image names no program/,
  );
  assert.throws(() => guestConfig(record, { ...image, stopSignal: "SIGNOPE" }, around), /SIGNOPE/);
});
