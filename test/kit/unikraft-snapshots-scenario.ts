/** What a user of the published package @unikraft/cloud does with templates and checkpoints. */
import assert from "node:assert/strict";
import { UnikraftCloud } from "@unikraft/cloud";

/** Leaves nothing behind. `image` is one whose program runs until it is stopped. */
export async function unikraftSnapshotsScenario(
  baseUrl: string,
  token: string,
  image: string,
): Promise<void> {
  const client = new UnikraftCloud({ token, baseUrl, controlPlaneUrl: baseUrl });
  const { instances } = client.api.platform;
  const name = `sdk-${process.pid}-${Math.trunc(process.uptime() * 1000)}`;
  const create = (body: Parameters<typeof instances.createInstance>[0]["body"]) =>
    instances.createInstance({ body: { autostart: true, timeout_s: 60, ...body } });
  const states = (answer: { data?: { instances?: { state?: string }[] } }) =>
    answer.data?.instances?.map(({ state }) => state);

  const roms = [
    { name: "code", at: "/code", files: [{ path: "main.sh", encoding: "text" as const, data: "echo" }] },
  ];
  assert.deepEqual(states(await create({ name, image, memory_mb: 128, roms })), ["running"]);
  const [withRoms] = (await instances.getInstances({ name: [name], details: true })).data?.instances ?? [];
  assert.deepEqual([withRoms?.roms?.[0]?.name, withRoms?.roms?.[0]?.at], ["code", "/code"]);
  const checkpoint = `${name}-before`;
  const kept = await instances.createCheckpointInstances({
    body: [
      { from: { name }, name: checkpoint, timeout_s: 60, tags: ["nightly"], autokill: { time_ms: 60_000 } },
    ],
  });
  assert.deepEqual(states(kept), ["checkpoint"]);
  const listed = await instances.getCheckpointInstances({ tags: ["nightly"] });
  assert.equal(listed.data?.instances?.[0]?.name, checkpoint);
  assert.equal(listed.data?.instances?.[0]?.checkpoint_autokill?.time_ms, 60_000);
  const history = await instances.getInstanceHistory({ name: [name] });
  assert.equal(history.data?.instances?.[0]?.name, name);
  assert.deepEqual(states(await create({ name: `${name}-old`, checkpoint: { name: checkpoint } })), [
    "running",
  ]);
  assert.deepEqual(states(await create({ name: `${name}-copy`, branch_from: { name } })), ["running"]);

  const made = await instances.createTemplateInstances({ body: [{ name, timeout_s: 60 }] });
  assert.deepEqual(states(made), ["template"]);
  const template = { name };
  await instances.updateTemplateInstances({
    body: [{ ...template, prop: "delete_lock", op: "set", value: true }],
  });
  const [found] = (await instances.getTemplateInstances({ name: [name] })).data?.instances ?? [];
  assert.deepEqual([found?.state, found?.delete_lock], ["template", true]);
  assert.deepEqual(states(await create({ name: `${name}-clone`, template })), ["running"]);
  await instances.updateTemplateInstances({
    body: [{ ...template, prop: "delete_lock", op: "set", value: false }],
  });
  await instances.deleteTemplateInstances({ body: [template] });
  await instances.deleteCheckpointInstances({ body: [{ name: checkpoint }] });
  await instances.deleteInstances({
    body: ["old", "copy", "clone"].map((suffix) => ({ name: `${name}-${suffix}` })),
  });
  assert.deepEqual((await instances.getTemplateInstances()).data?.instances, []);
  assert.deepEqual((await instances.getCheckpointInstances()).data?.instances, []);
}
