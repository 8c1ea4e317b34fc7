/** Waiting for what lasts a moment only: looks again in each turn of the event loop. */
import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";

export async function come(step: string, isReached: () => boolean): Promise<void> {
  const end = performance.now() + 20_000;
  while (!isReached()) {
    assert.ok(performance.now() < end, `it never came so far that ${step}`);
    await turn();
  }
}
