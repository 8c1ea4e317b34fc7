import assert from "node:assert/strict";
import { test } from "node:test";
import { exited, id, running, withInstance } from "./test-world.ts";

const refused = { code: "wrong_state", message: /stopping all of them/ };

test("when all are stopped, none starts any more: not behind its stop, not to be copied into, not by itself", async () => {
  await withInstance({}, async (world) => {
    const { owners, registry } = world;
    await running(world);
    const stopped = owners.stopAll();
    const again = assert.rejects(owners.of(id).start(), refused);
    await Promise.all([stopped, again]);
    assert.equal(registry.get(id).status.state, "stopped");
    await assert.rejects(owners.of(id).start(), refused);
    await assert.rejects(
      owners.of(id).maintain(async () => {}),
      refused,
    );
    assert.equal(world.world.machine, "none");
  });
});

test("a restart that is due is called off when all are stopped", async () => {
  await withInstance({ restartPolicy: "always" }, async (world) => {
    const { owners, registry, clock } = world;
    await running(world);
    await world.world.hooks?.onEvent(exited(1));
    await owners.of(id).idle();
    assert.notEqual(registry.get(id).status.restart, null);
    await owners.stopAll();
    await clock.advance(3_600_000);
    const { state, restart, startCount } = registry.get(id).status;
    assert.deepEqual([state, restart, startCount], ["stopped", null, 1]);
  });
});
