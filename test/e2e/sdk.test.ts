/** The vendor's published SDK and Uni's own, driving this daemon over TCP. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "@uni/sdk/connect";
import { buildBusybox, daemonForFile, idle } from "../kit/machine-test.ts";
import { unikraftSdkScenario } from "../kit/unikraft-sdk-scenario.ts";
import { unikraftSnapshotsScenario } from "../kit/unikraft-snapshots-scenario.ts";

const uni = await daemonForFile();
await buildBusybox(uni, ["--cmd", JSON.stringify(["sh", "-c", idle])]);

test("@unikraft/cloud creates, reads, stops, starts and deletes instances", async () => {
  await unikraftSdkScenario(uni.url, uni.token, "busybox");
});

test("@unikraft/cloud makes templates and checkpoints, and instances of them", async () => {
  await unikraftSnapshotsScenario(uni.url, uni.token, "busybox");
});

test("Uni's client branches, keeps and rewinds two together over REST", async () => {
  const client = connect({ url: uni.url, token: uni.token });
  const ids = ["one", "two"];
  for (const name of ids) await client.call("VM.Run", { image: "busybox", name, wait_s: 60 });
  const copies = await client.call("VM.Branch", { ids, suffix: "copy" });
  assert.deepEqual(
    copies.map(({ name, state }) => [name, state]),
    ids.map((id) => [`${id}-copy`, "running"]),
  );
  const kept = await client.call("VM.Checkpoint", { ids, suffix: "before" });
  const names = ids.map((id) => `${id}-before`);
  assert.deepEqual(
    kept.map(({ name }) => name),
    names,
  );
  const rewinds = ids.map((id) => ({ id, checkpoint: `${id}-before` }));
  const rewound = await client.call("VM.Rewind", { rewinds });
  assert.deepEqual(
    rewound.map(({ name, state }) => [name, state]),
    ids.map((id) => [id, "running"]),
  );
  for (const { name } of await client.call("VM.List", {}))
    await client.call("VM.Remove", { id: name, force: true });
  await client.operation("deleteCheckpointInstances", { body: names.map((name) => ({ name })) });
});
