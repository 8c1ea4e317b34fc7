/** Whatever is asked, happens and breaks, in whatever order: the record tells the truth about the machine. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { GuestEvent } from "../guest/port.ts";
import type { InstanceSpec } from "./record.ts";
import { type OwnerScene, withOwner } from "./test-owner.ts";

type Step = (scene: OwnerScene) => Promise<void> | void;

const exited = (code: number): GuestEvent => ({ kind: "exited", code, signal: 0, oomKilled: false });
/** A request that may be refused, and is not waited for: the next one meets it half-way. */
const ask =
  (request: (scene: OwnerScene) => Promise<unknown>): Step =>
  (scene) => {
    const asked = async () => request(scene);
    asked().catch(() => {});
  };

const steps: Readonly<Record<string, Step>> = {
  start: ask((scene) => scene.owner().start()),
  stop: ask((scene) => scene.owner().stop({ force: false, graceMs: 1000 })),
  "force stop": ask((scene) => scene.owner().stop({ force: true, graceMs: 0 })),
  delete: ask((scene) => scene.owner().delete()),
  "copy files": ask((scene) => scene.owner().maintain((live) => live.channel.stats())),
  "run begins": ask((scene) => scene.world.say({ kind: "started", us: 1 })),
  "ends well": ask((scene) => scene.world.say(exited(0))),
  "ends badly": ask((scene) => scene.world.say(exited(1))),
  "monitor dies": (scene) => scene.world.die(),
  "channel breaks": (scene) => scene.world.loseChannel(),
  "a moment": (scene) => scene.clock.advance(1),
  "some seconds": (scene) => scene.clock.advance(7_000),
  "starts fail": (scene) => {
    scene.world.failStart = new Error("no room");
  },
  "starts work": (scene) => {
    scene.world.failStart = undefined;
  },
  "ends fail": (scene) => {
    scene.world.failEnd = new Error("busy");
  },
  "ends work": (scene) => {
    scene.world.failEnd = undefined;
  },
  "ignores stops": (scene) => {
    scene.world.stopsWith = undefined;
  },
  "kill the daemon": async (scene) => {
    await scene.reopen();
    if (scene.exists()) ask(() => scene.owner().recover(Promise.resolve()))(scene);
  },
};

const spec: fc.Arbitrary<Partial<InstanceSpec>> = fc.record(
  {
    restartPolicy: fc.constantFrom("never" as const, "always" as const, "on-failure" as const),
    restartLimit: fc.constantFrom(null, 2),
  },
  { noNullPrototype: true },
);

/** Lets time go on while real files hold a task up, as well as for what is tried again later. */
async function settled({ world, clock, owner, exists }: OwnerScene): Promise<void> {
  world.failEnd = undefined;
  for (let round = 0; round < 4; round++) {
    await clock.advance(7_000);
    let idle = !exists();
    if (!idle) {
      void owner()
        .idle()
        .then(() => {
          idle = true;
        });
    }
    while (!idle) await clock.advance(10);
  }
}

function assertTruth({ world, exists, status }: OwnerScene): void {
  if (!exists()) {
    assert.equal(world.machines, 0, "a machine without an instance");
    return;
  }
  const { state, restart, intent } = status();
  assert.ok(["stopped", "starting", "running"].includes(state), `left ${state}`);
  assert.equal(world.machines, state === "stopped" ? 0 : 1, `machines of an instance that is ${state}`);
  if (restart !== null && state === "stopped") assert.equal(intent, "run", "a restart that nobody wants");
}

test("no sequence of requests, ends, faults and crashes leaves a wrong state or a machine behind", async () => {
  await fc.assert(
    fc.asyncProperty(
      spec,
      fc.array(fc.constantFrom(...Object.keys(steps)), { maxLength: 14 }),
      async (changes, names) => {
        await withOwner(changes, async (scene) => {
          for (const name of names) await steps[name]?.(scene);
          await settled(scene);
          assertTruth(scene);
          scene.world.failStart = undefined;
          if (!scene.exists()) return;
          await scene.owner().stop({ force: true, graceMs: 0 });
          await settled(scene);
          assert.deepEqual(
            [scene.status().state, scene.world.machines],
            ["stopped", 0],
            "the last stop holds",
          );
          await scene.owner().start();
          assert.deepEqual(
            [scene.status().state, scene.world.machines],
            ["starting", 1],
            "the last start holds",
          );
          await scene.owner().delete();
          assert.deepEqual([scene.exists(), scene.world.machines], [false, 0], "the last deletion holds");
        });
      },
    ),
    { numRuns: 80, timeout: 20_000 },
  );
});
