import assert from "node:assert/strict";
import { test } from "node:test";
import { asAccountId } from "@uni/contract/ids";
import { type Change, Changes } from "./changes.ts";

const change = (kind: Change["kind"], tap: string): Change => ({
  kind,
  attachment: { instanceId: tap, account: asAccountId("a"), address: "", mac: "", tap, uid: 1, ports: [] },
});

/** Holds every batch until it is let go. */
function held(
  answer: (changes: readonly Change[]) => readonly unknown[] = (batch) => batch.map(() => undefined),
) {
  const batches: string[] = [];
  const gates: (() => void)[] = [];
  const changes = new Changes(async (batch) => {
    batches.push(batch.map(({ kind, attachment }) => `${kind} ${attachment.tap}`).join(", "));
    await new Promise<void>((resolve) => gates.push(resolve));
    return answer(batch);
  });
  const letGo = async () => {
    while (gates.length === 0) await new Promise(setImmediate);
    gates.shift()?.();
  };
  return { changes, batches, letGo };
}

test("what comes while one batch runs is done together afterwards", async () => {
  const { changes, batches, letGo } = held();
  const first = changes.submit(change("attach", "1"));
  await new Promise(setImmediate);
  const rest = ["2", "3", "4"].map((tap) => changes.submit(change("attach", tap)));
  await letGo();
  await first;
  await letGo();
  await Promise.all(rest);
  assert.deepEqual(batches, ["attach 1", "attach 2, attach 3, attach 4"]);
});

test("two changes of one TAP keep their order, in batches of their own", async () => {
  const { changes, batches, letGo } = held();
  const all = [change("detach", "1"), change("attach", "1"), change("attach", "2")].map((one) =>
    changes.submit(one),
  );
  await letGo();
  await letGo();
  await Promise.all(all);
  assert.deepEqual(batches, ["detach 1", "attach 1, attach 2"]);
});

test("what runs alone runs between what came before and what came after", async () => {
  const { changes, batches, letGo } = held();
  const before = changes.submit(change("attach", "1"));
  const alone = changes.alone(async () => void batches.push("alone"));
  const after = changes.submit(change("attach", "2"));
  await letGo();
  await letGo();
  await Promise.all([before, alone, after]);
  assert.deepEqual(batches, ["attach 1", "alone", "attach 2"]);
});

test("each change gets its own answer, and a crash is everybody's", async () => {
  const one = held((batch) =>
    batch.map(({ attachment }) => (attachment.tap === "2" ? new Error("two") : undefined)),
  );
  const results = Promise.allSettled(["1", "2", "3"].map((tap) => one.changes.submit(change("attach", tap))));
  await one.letGo();
  assert.deepEqual(
    (await results).map(({ status }) => status),
    ["fulfilled", "rejected", "fulfilled"],
  );

  const two = held(() => {
    throw new Error("all");
  });
  const failed = Promise.allSettled(["1", "2"].map((tap) => two.changes.submit(change("attach", tap))));
  await two.letGo();
  assert.deepEqual(
    (await failed).map(({ status }) => status),
    ["rejected", "rejected"],
  );
});
