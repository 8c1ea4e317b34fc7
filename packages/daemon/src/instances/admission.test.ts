import assert from "node:assert/strict";
import { test } from "node:test";
import { type InstanceState, instanceStates } from "@uni/contract/enums";
import { UniError } from "@uni/contract/errors";
import { admit, type Request, requireAdmitted } from "./admission.ts";
import { recordOf } from "./test-records.ts";

/** One word a state, in the order of `instanceStates`: q queue, i interrupt, - already, x deny. */
const table: Record<Request, string> = {
  //              stopped starting running draining stopping template standby deleted checkpoint
  start: "q - - q q x q x x",
  stop: "- i q - - x i x x",
  "force-stop": "- i q i i x i x x",
  sleep: "x x q x x x x x x",
  delete: "i i i i i i i i i",
  maintain: "q x x x x x x x x",
  exec: "x x - x x x x x x",
};

const letters = { q: ["queue", false], i: ["queue", true], "-": ["already"], x: ["deny"] } as const;

for (const [request, line] of Object.entries(table)) {
  test(`who may ${request}, state by state`, () => {
    const cells = line.split(" ");
    assert.equal(cells.length, instanceStates.length);
    for (const [index, state] of instanceStates.entries()) {
      const verdict = admit(request as Request, { state, intent: "run" }, false);
      const shown = verdict.kind === "queue" ? [verdict.kind, verdict.interrupt] : [verdict.kind];
      assert.deepEqual(shown, letters[cells[index] as keyof typeof letters], `${request} while ${state}`);
    }
  });
}

const kindOf = (request: Request, state: InstanceState, intent: "run" | "sleep" | "stop" | "delete") =>
  admit(request, { state, intent }, false).kind;

test("a start behind a stop that has not had its turn is queued", () => {
  assert.equal(kindOf("start", "running", "stop"), "queue");
  assert.equal(kindOf("start", "starting", "stop"), "queue");
});

test("what is on its way to sleep is stopped at once, and need not be sent there again", () => {
  assert.deepEqual(admit("stop", { state: "stopping", intent: "sleep" }, false), {
    kind: "queue",
    interrupt: true,
  });
  assert.equal(kindOf("sleep", "stopping", "sleep"), "already");
  assert.equal(kindOf("sleep", "standby", "sleep"), "already");
  assert.equal(kindOf("sleep", "running", "stop"), "deny");
  assert.equal(kindOf("start", "standby", "sleep"), "queue");
});

test("what is being deleted is not started", () => {
  assert.equal(kindOf("start", "stopped", "delete"), "deny");
  assert.equal(kindOf("start", "running", "delete"), "deny");
});

test("a delete lock denies a deletion in every state, and nothing else", () => {
  for (const state of instanceStates) {
    assert.equal(admit("delete", { state, intent: "stop" }, true).kind, "deny");
  }
  assert.equal(admit("stop", { state: "running", intent: "run" }, true).kind, "queue");
});

test("a denial is an error that names the instance and its state, or the lock", () => {
  const running = recordOf(1, { name: "web", status: { state: "running", intent: "run" } });
  assert.throws(
    () => requireAdmitted("maintain", running),
    (error: UniError) =>
      error.code === "wrong_state" && error.message === "maintain instance 'web': it is running",
  );
  assert.throws(
    () => requireAdmitted("delete", recordOf(1, { spec: { deleteLock: true } })),
    (error: UniError) =>
      error instanceof UniError && error.code === "delete_locked" && error.hint !== undefined,
  );
  assert.equal(requireAdmitted("start", running), "already");
  assert.equal(requireAdmitted("delete", running), "interrupt");
});
