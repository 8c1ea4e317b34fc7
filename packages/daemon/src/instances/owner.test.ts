import assert from "node:assert/strict";
import { test } from "node:test";
import type { UniError } from "@uni/contract/errors";
import { exited, id, running, started, withInstance } from "./test-world.ts";

test("start, run, stop: states, reasons and counts", async () => {
  await withInstance({}, async (all) => {
    await running(all);
    await all.owners.of(id).stop({ force: false, graceMs: 1000 });
    const { status } = all.registry.get(id);
    assert.deepEqual(
      [status.state, status.stopReason, status.exitCode, status.startCount],
      ["stopped", 15, 0, 1],
    );
    assert.deepEqual(all.world.calls, ["start run", "stop", "power off", "end"]);
  });
});

test("a program that ends by itself leaves nothing running", async () => {
  await withInstance({}, async (all) => {
    await running(all);
    await all.world.hooks?.onEvent(exited(7));
    await all.owners.of(id).idle();
    const { status } = all.registry.get(id);
    assert.deepEqual([status.state, status.stopReason, status.exitCode], ["stopped", 3, 7]);
    assert.equal(all.world.calls.at(-1), "end");
  });
});

test("a start that fails says why and can be tried again", async () => {
  await withInstance({}, async (all) => {
    all.world.failStart = new Error("no room");
    await assert.rejects(all.owners.of(id).start(), /no room/);
    assert.match(all.registry.get(id).status.exitReason ?? "", /no room/);
    assert.equal(all.registry.get(id).status.state, "stopped");
    all.world.failStart = undefined;
    await running(all);
  });
});

const instructions = {
  policy: "if_not_present",
  credentials: null,
  headers: {},
  mergeRequests: true,
} as const;
const missing = { imageDigest: null, media: { image: { pull: instructions, byLabels: true }, roms: [] } };

test("the image is brought before the first start, and once", async () => {
  await withInstance(missing, async (all) => {
    await running(all);
    const { spec } = all.registry.get(id);
    assert.deepEqual([spec.media, typeof spec.imageDigest], [null, "string"]);
    await all.owners.of(id).stop({ force: true, graceMs: 0 });
    await running(all);
    assert.deepEqual(all.world.calls, ["bring media", "start run", "end", "start run"]);
  });
});

test("an image that cannot be had: stopped with code 1, and no restart policy tries again", async () => {
  for (const restartPolicy of ["always", "on-failure"] as const) {
    await withInstance({ ...missing, restartPolicy }, async (all) => {
      all.world.failMedia = new Error("the registry is gone");
      await assert.rejects(all.owners.of(id).start(), /the registry is gone/);
      const { status, spec } = all.registry.get(id);
      assert.deepEqual([status.state, status.stopCode, status.restart], ["stopped", 1, null]);
      assert.match(status.exitReason ?? "", /the registry is gone/);
      assert.ok(spec.media !== null, "another start tries again");
      assert.deepEqual(all.world.calls, ["bring media"]);
    });
  }
});

test("a stop interrupts a start, and a force interrupts a stop that waits", async () => {
  await withInstance({}, async (all) => {
    all.world.holdStart = new Promise(() => {});
    const start = all.owners.of(id).start();
    start.catch(() => {});
    await all.owners.of(id).stop({ force: false, graceMs: 0 });
    await assert.rejects(start, /interrupted by a stop/);
    assert.equal(all.registry.get(id).status.state, "stopped");
    all.world.holdStart = Promise.resolve();
    all.world.stopsWith = undefined;
    await running(all);
    const slow = all.owners.of(id).stop({ force: false, graceMs: 60_000 });
    await all.clock.advance(10);
    assert.equal(all.registry.get(id).status.state, "stopping");
    await all.owners.of(id).stop({ force: true, graceMs: 0 });
    await slow;
    assert.deepEqual(
      [all.registry.get(id).status.state, all.registry.get(id).status.stopReason],
      ["stopped", 28],
    );
  });
});

test("a guest that ignores the stop is cut off after the grace period", async () => {
  await withInstance({}, async (all) => {
    all.world.stopsWith = undefined;
    await running(all);
    const stop = all.owners.of(id).stop({ force: false, graceMs: 1000 });
    await all.clock.advance(0);
    await all.clock.advance(6000);
    await stop;
    assert.equal(all.registry.get(id).status.stopReason, 28);
  });
});

test("policy always restarts with the documented delays until a stop", async () => {
  await withInstance({ restartPolicy: "always" }, async (all) => {
    await running(all);
    await all.world.hooks?.onEvent(exited(0));
    await all.owners.of(id).idle();
    await all.clock.advance(0);
    assert.deepEqual(
      [all.registry.get(id).status.state, all.registry.get(id).status.restartCount],
      ["starting", 1],
    );
    await all.world.hooks?.onEvent(started);
    await all.world.hooks?.onEvent(exited(0));
    await all.owners.of(id).idle();
    const { restart } = all.registry.get(id).status;
    assert.deepEqual([restart?.attempt, (restart?.nextAt ?? 0) - all.clock.now()], [2, 5000]);
    await all.owners.of(id).stop({ force: false, graceMs: 0 });
    await all.clock.advance(10_000);
    assert.equal(all.registry.get(id).status.state, "stopped");
    assert.equal(all.registry.get(id).status.restart, null);
  });
});

test("the monitor's death stops the instance, and on-failure brings it back", async () => {
  await withInstance({ restartPolicy: "on-failure" }, async (all) => {
    await running(all);
    all.world.exit.resolve({ kind: "vmm-died" });
    await all.clock.advance(0);
    await all.owners.of(id).idle();
    await all.clock.advance(0);
    assert.equal(all.registry.get(id).status.state, "starting");
    assert.equal(all.world.calls.filter((call) => call === "start run").length, 2);
  });
});

test("a deletion ends a running instance and leaves no record", async () => {
  await withInstance({}, async (all) => {
    await running(all);
    await all.owners.of(id).delete();
    assert.equal(all.registry.find(id), undefined);
    assert.deepEqual(all.world.calls.slice(-2), ["end", "erase"]);
  });
});

test("a delete lock refuses, a cleared one does not", async () => {
  await withInstance({ deleteLock: true }, async (all) => {
    assert.throws(
      () => all.owners.of(id).delete(),
      (error: UniError) => error.code === "delete_locked",
    );
    await all.owners.of(id).update({ prop: "delete_lock", op: "set", value: false });
    await all.owners.of(id).delete();
    assert.equal(all.registry.find(id), undefined);
  });
});

test("delete-on-stop deletes once it has stopped", async () => {
  await withInstance({ features: ["delete-on-stop"] }, async (all) => {
    await running(all);
    await all.world.hooks?.onEvent(exited(0));
    await all.owners.of(id).idle();
    assert.equal(all.registry.get(id).status.exitCode, 0);
    await all.clock.advance(3000);
    assert.equal(all.registry.find(id), undefined);
  });
});

test("a change that needs a stop is kept until then; a failing one says why", async () => {
  await withInstance({}, async (all) => {
    await running(all);
    await all.owners.of(id).update({ prop: "memory_mb", op: "set", value: 512 });
    await all.owners.of(id).update({ prop: "tags", op: "set", value: ["a"] });
    const { spec, status } = all.registry.get(id);
    assert.deepEqual([spec.memoryMb, spec.tags, status.updates.length], [128, ["a"], 1]);
    await all.owners.of(id).stop({ force: false, graceMs: 0 });
    assert.equal(all.registry.get(id).spec.memoryMb, 512);
    assert.deepEqual(all.registry.get(id).status.updates, []);
  });
});

test("a new daemon takes over a running machine and hears its end", async () => {
  await withInstance({}, async (all) => {
    await running(all);
    all.world.adoptable = true;
    const next = await all.reopen();
    await next.owners.of(id).recover(Promise.resolve());
    assert.equal(next.registry.get(id).status.state, "running");
    await all.world.hooks?.onEvent(exited(5));
    await next.owners.of(id).idle();
    assert.deepEqual(
      [next.registry.get(id).status.state, next.registry.get(id).status.exitCode],
      ["stopped", 5],
    );
  });
});

test("a new daemon ends a run whose end was reported but not acted on", async () => {
  await withInstance({}, async (all) => {
    await running(all);
    await all.registry.change(id, { status: { exit: exited(9) as never } });
    all.world.adoptable = true;
    const next = await all.reopen();
    await next.owners.of(id).recover(Promise.resolve());
    const { status } = next.registry.get(id);
    assert.deepEqual([status.state, status.exitCode, status.stopReason], ["stopped", 9, 3]);
  });
});

test("a new daemon finishes what was half done: start, stop, delete", async () => {
  const half = {
    start: { state: "starting", intent: "run", configured: false, startCount: 1 },
    stop: { state: "stopping", intent: "stop", configured: true, startCount: 1 },
    delete: { state: "running", intent: "delete", configured: true, startCount: 1 },
  } as const;
  for (const [what, status] of Object.entries(half)) {
    await withInstance({}, async (all) => {
      await all.registry.change(id, { status });
      all.world.adoptable = true;
      const next = await all.reopen();
      await next.owners.of(id).recover(Promise.resolve());
      const after = next.registry.find(id)?.status;
      if (what === "delete") assert.equal(after, undefined);
      if (what === "stop") assert.deepEqual([after?.state, after?.stopReason], ["stopped", 15]);
      if (what === "start") assert.deepEqual([after?.state, after?.startCount], ["starting", 1]);
    });
  }
});

test("a machine that was gone when the daemon came back is told so", async () => {
  await withInstance({}, async (all) => {
    await running(all);
    const next = await all.reopen();
    await next.owners.of(id).recover(Promise.resolve());
    assert.match(next.registry.get(id).status.exitReason ?? "", /monitor ended unexpectedly/);
  });
});

test("files of a stopped instance are reached without running its program", async () => {
  await withInstance({}, async (all) => {
    const answer = await all.owners.of(id).maintain(async () => "read");
    assert.equal(answer, "read");
    assert.deepEqual(all.world.calls, ["start maintenance", "power off", "end"]);
    assert.equal(all.registry.get(id).status.state, "stopped");
    await running(all);
    await assert.rejects(
      all.owners.of(id).maintain(async () => {}),
      /it is running/,
    );
  });
});
