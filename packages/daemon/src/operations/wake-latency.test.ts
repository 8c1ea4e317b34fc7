import assert from "node:assert/strict";
import { test } from "node:test";
import { asInstanceId } from "@uni/contract/ids";
import { WakeLatencies } from "./wake-latency.ts";

const id = asInstanceId("00000000-0000-4000-8000-0000000000aa");

test("a wake counts in the smallest bucket that holds it; the last one has no bound", () => {
  const latencies = new WakeLatencies();
  for (const ms of [0.4, 1, 1.5, 4096, 5000]) latencies.record(id, ms);
  const { buckets, sumMs } = latencies.of(id);
  assert.deepEqual(
    buckets.map(({ bucketMs }) => bucketMs),
    [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, null],
  );
  assert.deepEqual(
    buckets.map(({ count }) => count),
    [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1],
  );
  assert.equal(sumMs, 9099);
  latencies.forget(id);
  assert.equal(latencies.of(id).sumMs, 0);
});
