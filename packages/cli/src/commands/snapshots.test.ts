import assert from "node:assert/strict";
import { test } from "node:test";
import type { Script } from "../../../../test/kit/fake-daemon.ts";
import { fakeVm } from "../../../../test/kit/fake-vm.ts";
import { talk } from "../../../../test/kit/run-uni.ts";

const template = {
  status: "success",
  uuid: "11111111-1111-4111-8111-111111111111",
  name: "base",
  state: "template",
  created_at: "2026-01-31T12:00:00.000Z",
  image: "hello:latest",
  memory_mb: 256,
  vcpus: 1,
  snapshot: { uuid: "22222222-2222-4222-8222-222222222222" },
  tags: ["nightly"],
};
const answer = { status: "success", data: { instances: [template] }, op_time_us: 1 };
const vm = fakeVm({ name: "web-copy" });
const saved = { id: template.uuid, name: "web-before", state: "checkpoint" };

const one: Script = {
  "VM.Branch": () => [vm],
  "VM.Checkpoint": () => [saved],
  "VM.Rewind": () => [fakeVm({ name: "web" })],
  "Daemon.DiskUsage": () => ({ kinds: [{ kind: "images", count: 2, bytes: 1 << 20 }], total_bytes: 1 << 20 }),
  createTemplateInstances: () => answer,
  getTemplateInstances: () => answer,
  updateTemplateInstances: () => answer,
  deleteTemplateInstances: () => answer,
  getInstanceHistory: () => ({
    ...answer,
    data: {
      instances: [{ name: "web", history: [{ uuid: "u", name: "first", created_at: template.created_at }] }],
    },
  }),
};

test("branch, checkpoint and rewind take one by name or several by suffix", async () => {
  assert.equal((await talk(one, ["branch", "web", "--name", "web-copy"])).stdout, "web-copy\n");
  assert.equal(
    (await talk(one, ["checkpoint", "create", "web", "--suffix", "before"])).stdout,
    "web-before\n",
  );
  assert.equal((await talk(one, ["rewind", "web", "web-before"])).stdout, "web\n");
  assert.equal((await talk(one, ["rewind", "web", "--suffix", "before"])).code, 0);
  assert.equal((await talk(one, ["rewind", "web"])).code, 64);
  assert.match((await talk(one, ["checkpoint", "history", "web"])).stdout, /^CHECKPOINT +CREATED\nfirst /);
});

test("templates are made, listed, changed and removed", async () => {
  const created = await talk(one, ["template", "create", "base"]);
  assert.equal(created.stdout, "base\n");
  assert.deepEqual(created.calls[0]?.params, { body: [{ name: "base", timeout_s: -1 }] });
  assert.match(
    (await talk(one, ["template", "ls"])).stdout,
    /base +hello:latest +256 MB +with its memory +nightly/,
  );
  assert.equal((await talk(one, ["template", "update", "base", "--delete-lock"])).stdout, "base\n");
  assert.equal((await talk(one, ["template", "update", "base"])).code, 64);
  assert.equal((await talk(one, ["template", "rm", "base"])).stdout, "base\n");
});

test("df shows what takes room, and the sum", async () => {
  assert.match((await talk(one, ["df"])).stdout, /images +2 +1\.0 MB[\s\S]*total +1\.0 MB/);
});

test("an instance is made of an image or of what is kept", async () => {
  assert.equal((await talk(one, ["run"])).code, 64);
});
