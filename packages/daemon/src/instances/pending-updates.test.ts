import assert from "node:assert/strict";
import { test } from "node:test";
import { UniError } from "@uni/contract/errors";
import type { AccountId } from "@uni/contract/ids";
import type { ImageReference } from "@uni/contract/resources/image-spec";
import type { InstanceUpdate } from "@uni/contract/resources/instance";
import { applyPending, updateInstance } from "./pending-updates.ts";
import type { InstanceStatus } from "./record.ts";
import type { Registry } from "./registry.ts";
import { digestOf, idOf, recordOf, resolveNothing, romOf, withRegistry } from "./test-records.ts";

const id = idOf(1);
const lifecycle = {
  resolveRoms: resolveNothing,
  async resolveImage(_account: AccountId, given: ImageReference) {
    const reference = typeof given === "string" ? given : given.url;
    if (reference !== "new") throw new UniError("image_not_found", `find image ${reference}`);
    return { reference, digest: digestOf("1") };
  },
};

async function withInstance(
  status: Partial<InstanceStatus>,
  body: (registry: Registry, update: (update: InstanceUpdate) => Promise<void>) => Promise<void>,
): Promise<void> {
  await withRegistry([recordOf(1, { status })], (registry) =>
    body(registry, (update) => updateInstance({ registry, lifecycle }, id, update)),
  );
}

test("of a stopped instance every change holds at once", async () => {
  await withInstance({}, async (registry, update) => {
    await update({ prop: "memory_mb", op: "set", value: 512 });
    await update({ prop: "image", op: "set", value: "new" });
    const { spec, status } = registry.get(id);
    assert.deepEqual([spec.memoryMb, spec.imageReference, spec.imageDigest], [512, "new", digestOf("1")]);
    assert.deepEqual(status.updates, []);
  });
});

test("changes made at the same moment all hold", async () => {
  await withInstance({}, async (registry, update) => {
    await Promise.all(["a", "b", "c"].map((tag) => update({ prop: "tags", op: "add", value: [tag] })));
    assert.deepEqual(registry.get(id).spec.tags, ["a", "b", "c"]);
  });
});

test("a change that waits is kept in its order and comes about when it may", async () => {
  await withInstance({ state: "running" }, async (registry, update) => {
    await update({ prop: "env", op: "set", value: { A: "1" } });
    await update({ prop: "env", op: "add", value: { B: "2" } });
    assert.deepEqual(registry.get(id).spec.env, {});
    assert.equal(registry.get(id).status.updates.length, 2);
    await applyPending({ registry, lifecycle }, id);
    assert.deepEqual(registry.get(id).spec.env, { A: "1", B: "2" });
    assert.deepEqual(registry.get(id).status.updates, []);
  });
});

test("a change that can never be is refused now, also where it would have to wait", async () => {
  await withInstance({ state: "running" }, async (registry, update) => {
    await assert.rejects(update({ prop: "image", op: "set", value: "none" }), /find image none/);
    await assert.rejects(update({ prop: "image", op: "add", value: "new" } as never), /it can only be set/);
    await assert.rejects(update({ prop: "plugins", op: "set", value: [] } as never), /'plugins'/);
    assert.deepEqual(registry.get(id).status.updates, []);
  });
});

test("a kept change that fails stays, marked, does not hold up the others, and is not tried again", async () => {
  await withInstance({ state: "running" }, async (registry, update) => {
    await update({ prop: "image", op: "set", value: "new" });
    await update({ prop: "memory_mb", op: "set", value: 512 });
    const gone = {
      ...lifecycle,
      resolveImage: () => Promise.reject(new UniError("image_not_found", "it went away")),
    };
    await applyPending({ registry, lifecycle: gone }, id);
    assert.equal(registry.get(id).spec.memoryMb, 512);
    const failed = [{ prop: "image", op: "set", value: "new", status: "failed", error: "it went away" }];
    assert.deepEqual(registry.get(id).status.updates, failed);
    await applyPending({ registry, lifecycle }, id);
    assert.deepEqual(registry.get(id).status.updates, failed);
  });
});

test("a change asked for while the kept ones come about is not lost", async () => {
  await withInstance({ state: "running" }, async (registry, update) => {
    await update({ prop: "image", op: "set", value: "new" });
    const held = Promise.withResolvers<{ reference: string; digest: ReturnType<typeof digestOf> }>();
    const applied = applyPending(
      { registry, lifecycle: { ...lifecycle, resolveImage: () => held.promise } },
      id,
    );
    await update({ prop: "vcpus", op: "set", value: 3 });
    held.resolve({ reference: "new", digest: digestOf("1") });
    await applied;
    assert.deepEqual(
      registry.get(id).status.updates.map((each) => each.prop),
      ["vcpus"],
    );
  });
});

test("what is on a ROM is settled when it is asked for, and holds with a change of ROMs alone", async () => {
  await withInstance({ state: "standby" }, async (registry, update) => {
    await update({ prop: "vcpus", op: "set", value: 3 });
    await update({ prop: "roms", op: "set", value: [{ name: "code" }, { name: "data" }] });
    await update({ prop: "roms", op: "del", value: ["code"] });
    assert.deepEqual(registry.get(id).spec.roms, []);
    assert.deepEqual(registry.get(id).status.updates[1]?.value, [romOf("code"), romOf("data")]);
    await applyPending({ registry, lifecycle }, id, ({ prop }) => prop === "roms");
    assert.deepEqual(registry.get(id).spec.roms, [romOf("data")]);
    assert.deepEqual(
      registry.get(id).status.updates.map(({ prop }) => prop),
      ["vcpus"],
    );
  });
});

test("of an image only its reference is kept, and one that was to be pulled no longer is", async () => {
  const pull = { policy: "always", credentials: null, headers: {}, mergeRequests: true } as const;
  const media = { image: { pull, byLabels: true }, roms: [] };
  const change = { prop: "image", op: "set", value: { url: "new", credentials: "me:secret" } } as const;
  await withInstance({ state: "running" }, async (registry, update) => {
    await update(change);
    assert.deepEqual(registry.get(id).status.updates, [
      { prop: "image", op: "set", value: "new", status: "pending" },
    ]);
  });
  await withInstance({}, async (registry, update) => {
    await registry.change(id, { spec: { imageDigest: null, media } });
    await update(change);
    const { spec } = registry.get(id);
    assert.deepEqual([spec.imageDigest, spec.media], [digestOf("1"), null]);
  });
});
