/**
 * What a user of the published package @unikraft/cloud does with instances, as one story. It runs against any server of
 * the API: the daemon with its memory core in the API's own tests, a real one in the e2e tests.
 */
import assert from "node:assert/strict";
import { UnikraftCloud, UnikraftCloudError } from "@unikraft/cloud";

type Client = InstanceType<typeof UnikraftCloud>;

/** `image` must be known to the server and stay up when started. Leaves nothing behind, also when it fails. */
export async function unikraftSdkScenario(baseUrl: string, token: string, image: string): Promise<void> {
  const client = new UnikraftCloud({ token, baseUrl, controlPlaneUrl: baseUrl });
  const prefix = `sdk-${process.pid}-${Math.trunc(process.uptime() * 1000)}`;
  try {
    await createAndLookUp(client, prefix, image);
    await change(client, prefix);
    await startWaitAndRead(client, prefix);
    await page(client, prefix, image);
    await failAsDocumented(client, prefix, image);
    await stopAndDelete(client, prefix);
    await readTheNode(client);
  } finally {
    await cleanUp(client, prefix);
  }
  await refuseStrangers(baseUrl);
}

async function createAndLookUp(client: Client, prefix: string, image: string): Promise<void> {
  const created = await client.instances.create({
    name: `${prefix}-web`,
    image,
    memory_mb: 256,
    env: { GREETING: "hello" },
    tags: [prefix, "first"],
    restart_policy: "never",
  });
  assert.equal(created.name, `${prefix}-web`);
  assert.equal(created.state, "stopped");
  assert.equal(created.memory_mb, 256);
  assert.match(created.image, /@sha256:/);

  const byName = await client.instances.get({ name: `${prefix}-web` });
  const byUuid = await client.instances.get({ uuid: created.uuid });
  assert.equal(byName.uuid, created.uuid);
  assert.deepEqual(byUuid.env?.["GREETING"], "hello");
}

async function change(client: Client, prefix: string): Promise<void> {
  const web = client.instances.get({ name: `${prefix}-web` });
  await web.update({ memory_mb: 384, vcpus: 1, tags: [prefix, "second"] });
  await web
    .edit()
    .add({ tags: ["third"] })
    .add({ env: { MORE: "1" } })
    .apply();
  await web
    .edit()
    .del({ env: ["MORE"] })
    .apply();
  const changed = await client.instances.get({ name: `${prefix}-web` });
  assert.equal(changed.memory_mb, 384);
  assert.deepEqual(changed.tags, [prefix, "second", "third"]);
  assert.equal(changed.env?.["MORE"], undefined);
  assert.equal(changed.env?.["GREETING"], "hello");
}

async function startWaitAndRead(client: Client, prefix: string): Promise<void> {
  const web = client.instances.get({ name: `${prefix}-web` });
  const started = await web.start();
  assert.equal(started.previous_state, "stopped");
  const waited = await web.wait({ state: "running", timeoutSeconds: 120 });
  assert.equal(waited.state, "running");

  const running = await client.instances.get({ name: `${prefix}-web` });
  assert.equal(running.state, "running");
  assert.ok(running.private_ip);

  const log = await web.logs({ offset: 0, limit: 1024 });
  assert.equal(log.range.end - log.range.start, Buffer.from(log.output, "base64").length);
  const metrics = await web.metrics();
  assert.ok(metrics.rss_bytes > 0);
  assert.equal(metrics.nconns, 0);
  assert.deepEqual((await web.history())[0]?.history, []);
}

/** The cursor is exclusive: every instance once, whatever the page size. */
async function page(client: Client, prefix: string, image: string): Promise<void> {
  await client.instances.create({ image, replicas: 3, tags: [prefix, "many"] });
  for (const pageSize of [1, 2, 3, 100]) {
    const uuids: string[] = [];
    for await (const instance of client.instances.list({ tags: [prefix], pageSize }))
      uuids.push(instance.uuid);
    assert.equal(uuids.length, 5, `page size ${pageSize}`);
    assert.equal(new Set(uuids).size, 5, `page size ${pageSize}`);
  }
  for await (const instance of client.instances.list({ tags: [prefix], details: false })) {
    assert.deepEqual(Object.keys(instance).toSorted(), ["metro", "name", "uuid"]);
  }
}

async function failAsDocumented(client: Client, prefix: string, image: string): Promise<void> {
  await rejects(
    client.instances.get({ name: `${prefix}-none` }),
    404,
    `No instance with name '${prefix}-none'`,
  );
  await rejects(client.instances.start({ name: `${prefix}-none` }), 404);
  await rejects(client.instances.create({ name: `${prefix}-web`, image }), undefined);
  await rejects(client.instances.create({ image: { url: `${prefix}-none`, pull_policy: "never" } }), 404);
  await rejects(client.instances.create({ image, timeout_s: 5 }), 400);
  await rejects(
    client.instances.create({ image, unheard_of: 1 } as never),
    400,
    "Unknown member 'unheard_of'",
  );
  await rejects(client.instances.get({ uuid: "not-a-uuid" }), 400, "Invalid uuid 'not-a-uuid'");
  const web = client.instances.get({ name: `${prefix}-web` });
  await rejects(web.wait({ state: "standby", timeoutSeconds: 0 }), undefined, "Operation timed out");

  await web.update({ delete_lock: true });
  await rejects(web.delete(), undefined, "Deletion protection enabled");
  await web.update({ delete_lock: false });
}

async function stopAndDelete(client: Client, prefix: string): Promise<void> {
  const web = client.instances.get({ name: `${prefix}-web` });
  const stopped = await web.stop();
  assert.equal(stopped.previous_state, "running");
  assert.equal((await web.wait({ state: "stopped", timeoutSeconds: 120 })).state, "stopped");
  const mixed = await client.instances.stop([{ name: `${prefix}-web` }, { name: `${prefix}-none` }]);
  assert.equal(mixed[0]?.status, "success");
  assert.equal(mixed[1]?.status, "error");
  const gone = await web.delete();
  assert.equal(gone.previous_state, "stopped");
  await rejects(client.instances.get({ name: `${prefix}-web` }), 404);
}

async function readTheNode(client: Client): Promise<void> {
  const { platform, controlplane } = client.api;
  const health = await platform.node.healthz();
  assert.equal(health.status, "success");
  assert.ok(health.data?.versions);
  const quotas = (await platform.users.getUser()).data?.quotas?.[0];
  assert.ok(quotas && quotas.used.instances >= 4);
  assert.equal((await platform.users.getUserByUuid(quotas.uuid)).data?.quotas?.[0]?.uuid, quotas.uuid);
  const images = (await platform.images.getImages({})).data?.images ?? [];
  assert.ok(images.length > 0 && images[0]?.url);
  assert.ok((await platform.images.getImageStore({})).data?.images);
  const metros = (await controlplane.metros.listMetros()).data?.metros ?? [];
  assert.ok(metros[0]?.endpoint);
}

async function refuseStrangers(baseUrl: string): Promise<void> {
  const stranger = new UnikraftCloud({ token: "not-a-token", baseUrl, controlPlaneUrl: baseUrl });
  await rejects(stranger.instances.get({ name: "x" }), 401);
}

async function cleanUp(client: Client, prefix: string): Promise<void> {
  const left: { uuid: string }[] = [];
  for await (const { uuid } of client.instances.list({ tags: [prefix] })) left.push({ uuid });
  if (left.length > 0) await client.instances.delete(left);
}

async function rejects(
  work: PromiseLike<unknown>,
  status: number | undefined,
  message?: string,
): Promise<void> {
  try {
    await work;
  } catch (error) {
    assert.ok(error instanceof UnikraftCloudError, String(error));
    assert.equal(error.status, status, error.message);
    if (message !== undefined) assert.equal(error.message, message);
    return;
  }
  assert.fail(`expected a failure${message === undefined ? "" : `: ${message}`}`);
}
