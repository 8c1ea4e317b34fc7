/** Requests that meet: whoever asked last is obeyed, and nothing runs twice. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { GuestEvent } from "../guest/port.ts";
import { type OwnerScene, withOwner } from "./test-owner.ts";

const polite = { force: false, graceMs: 1000 };
const exited = (code: number): GuestEvent => ({ kind: "exited", code, signal: 0, oomKilled: false });

async function running({ owner, world, status }: OwnerScene): Promise<void> {
  await owner().start();
  await world.say({ kind: "started", us: 1 });
  assert.equal(status().state, "running");
}

/** A stop that has begun and waits for the program. */
async function stopping(scene: OwnerScene): Promise<{ stop: Promise<void>; end: () => Promise<void> }> {
  await running(scene);
  scene.world.stopsWith = undefined;
  const stop = scene.owner().stop(polite);
  await scene.clock.advance(1);
  assert.equal(scene.status().state, "stopping");
  return {
    stop,
    end: async () => {
      await scene.world.say(exited(0));
      scene.world.endStop();
    },
  };
}

test("a start during a stop comes behind it", async () => {
  await withOwner({}, async (scene) => {
    const { stop, end } = await stopping(scene);
    const start = scene.owner().start();
    await end();
    await Promise.all([stop, start]);
    assert.deepEqual([scene.status().state, scene.status().startCount], ["starting", 2]);
  });
});

test("two starts during a stop run the machine once", async () => {
  await withOwner({}, async (scene) => {
    const { end } = await stopping(scene);
    const starts = [scene.owner().start(), scene.owner().start()];
    await end();
    await Promise.all(starts);
    assert.deepEqual([scene.status().state, scene.status().startCount], ["starting", 2]);
    assert.equal(scene.world.machines, 1);
  });
});

test("a stop after a start that waits for an earlier stop calls it off", async () => {
  await withOwner({}, async (scene) => {
    const { stop, end } = await stopping(scene);
    const start = scene.owner().start();
    const again = scene.owner().stop(polite);
    await Promise.all([end(), stop, again, assert.rejects(start, /interrupted by a stop/)]);
    assert.deepEqual([scene.status().state, scene.status().startCount], ["stopped", 1]);
  });
});

test("a start right after a stop, before the stop has its turn, is not taken for done", async () => {
  await withOwner({}, async (scene) => {
    await running(scene);
    await Promise.all([scene.owner().stop(polite), scene.owner().start()]);
    assert.deepEqual([scene.status().state, scene.status().startCount], ["starting", 2]);
  });
});

test("a deletion calls off a start that waits, and nothing of it stays", async () => {
  await withOwner({}, async (scene) => {
    const { stop, end } = await stopping(scene);
    const start = scene.owner().start();
    const gone = scene.owner().delete();
    await Promise.all([end(), stop, gone, assert.rejects(start)]);
    assert.equal(scene.exists(), false);
    assert.equal(scene.world.machines, 0);
  });
});

test("a deletion calls off the restart that is due at the same moment", async () => {
  await withOwner({ restartPolicy: "always" }, async (scene) => {
    await running(scene);
    await scene.world.say(exited(0));
    await scene.owner().idle();
    assert.equal(scene.status().restart?.attempt, 1);
    const restarted = scene.clock.advance(0);
    await Promise.all([restarted, scene.owner().delete()]);
    assert.equal(scene.exists(), false);
    assert.equal(scene.world.machines, 0);
  });
});

test("a report that comes behind the answer to the stop still counts", async () => {
  await withOwner({}, async (scene) => {
    await running(scene);
    scene.world.stopsWith = undefined;
    scene.world.beforeGoodbye = () => scene.world.say(exited(5));
    const stop = scene.owner().stop(polite);
    await scene.clock.advance(1);
    scene.world.endStop();
    await stop;
    assert.deepEqual([scene.status().exitCode, scene.status().stopReason], [5, 15]);
  });
});

test("a log that cannot be written fails the start, and nothing stays starting", async () => {
  await withOwner({}, async (scene) => {
    scene.failLog(new Error("disk full"));
    await assert.rejects(scene.owner().start(), /disk full/);
    assert.equal(scene.status().state, "stopped");
    assert.match(scene.status().exitReason ?? "", /disk full/);
    scene.failLog(undefined);
  });
});

test("an end that fails is tried again until it works", async () => {
  await withOwner({}, async (scene) => {
    await running(scene);
    scene.world.failEnd = new Error("device busy");
    await assert.rejects(scene.owner().stop({ force: true, graceMs: 0 }), /device busy/);
    assert.equal(scene.status().state, "stopping");
    await scene.clock.advance(5000);
    assert.equal(scene.status().state, "stopping");
    scene.world.failEnd = undefined;
    await scene.clock.advance(5000);
    assert.equal(scene.status().state, "stopped");
    assert.equal(scene.world.machines, 0);
  });
});

test("a stop of an instance whose takeover failed ends its machine", async () => {
  await withOwner({}, async (scene) => {
    await running(scene);
    await scene.reopen();
    scene.world.failAdopt = new Error("not now");
    await assert.rejects(scene.owner().recover(Promise.resolve()), /not now/);
    assert.equal(scene.world.machines, 1);
    await scene.owner().stop(polite);
    assert.deepEqual([scene.status().state, scene.world.machines], ["stopped", 0]);
  });
});

test("a stop does not end the start that comes once what it was for has ended", async () => {
  await withOwner({}, async (scene) => {
    const began = scene.reached("starting");
    void scene.owner().start();
    await began;
    await scene.reopen();
    assert.deepEqual([scene.status().state, scene.status().configured], ["starting", false]);
    const prepared = Promise.withResolvers<void>();
    const recovered = scene.owner().recover(prepared.promise);
    const stopped = scene.reached("stopped");
    const stop = scene.owner().stop(polite);
    prepared.resolve();
    await stopped;
    await scene.owner().start();
    await Promise.all([recovered, stop]);
    assert.deepEqual([scene.status().state, scene.status().startCount], ["starting", 2]);
    assert.equal(scene.world.machines, 1);
  });
});

test("an end that a daemon began by itself is finished by the next one", async () => {
  await withOwner({}, async (scene) => {
    await scene.owner().start();
    scene.world.failEnd = new Error("device busy");
    const ending = scene.reached("stopping");
    await scene.clock.advance(60_000);
    await ending;
    assert.equal(scene.status().intent, "run");
    await scene.reopen();
    scene.world.failEnd = undefined;
    await scene.owner().recover(Promise.resolve());
    assert.deepEqual([scene.status().state, scene.world.machines], ["stopped", 0]);
    assert.match(scene.status().exitReason ?? "", /being ended/);
  });
});

test("a deletion cuts the copying of files short", async () => {
  await withOwner({}, async (scene) => {
    const copying = scene.owner().maintain(() => new Promise<never>(() => {}));
    copying.catch(() => {});
    await scene.clock.advance(0);
    assert.equal(scene.world.machines, 1);
    await scene.owner().delete();
    await assert.rejects(copying, /interrupted by a deletion/);
    assert.deepEqual([scene.exists(), scene.world.machines], [false, 0]);
  });
});

test("a start waits for the copying of files, and a stop of that start does not end the copying", async () => {
  await withOwner({}, async (scene) => {
    const copied = Promise.withResolvers<string>();
    const copying = scene.owner().maintain(() => copied.promise);
    await scene.clock.advance(0);
    const start = scene.owner().start();
    const stop = scene.owner().stop(polite);
    copied.resolve("all of it");
    assert.equal(await copying, "all of it");
    await Promise.all([stop, assert.rejects(start, /interrupted by a stop/)]);
    assert.deepEqual([scene.status().state, scene.world.machines], ["stopped", 0]);
  });
});

test("a channel that breaks while the machine goes on is opened again, and the end is heard", async () => {
  await withOwner({}, async (scene) => {
    await running(scene);
    scene.world.loseChannel();
    await scene.clock.advance(1000);
    assert.deepEqual([scene.status().state, scene.world.machines], ["running", 1]);
    await scene.world.say(exited(4));
    await scene.owner().idle();
    assert.deepEqual([scene.status().state, scene.status().exitCode], ["stopped", 4]);
  });
});

test("a force does not wait for a guest that takes its time to put itself to rest", async () => {
  await withOwner({}, async (scene) => {
    await running(scene);
    const resting = Promise.withResolvers<void>();
    scene.world.beforeGoodbye = () => {
      resting.resolve();
      return new Promise(() => {});
    };
    const stop = scene.owner().stop(polite);
    await resting.promise;
    await scene.owner().stop({ force: true, graceMs: 0 });
    await stop;
    assert.deepEqual([scene.status().state, scene.world.machines], ["stopped", 0]);
  });
});
