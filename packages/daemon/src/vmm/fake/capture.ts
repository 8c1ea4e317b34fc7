/** What the fake driver does for `Machine.capture`. */
import { existsSync } from "node:fs";
import { UniError } from "@uni/contract/errors";
import type { Capture, CaptureTarget } from "../port.ts";
import { fakeSnapshotFacts, writeFakeSnapshot } from "./snapshot.ts";
import type { FakeProcess } from "./world.ts";

export type CaptureStep = "capture" | "take" | "publish";

export function beginFakeCapture(
  process: FakeProcess,
  target: CaptureTarget,
  requireAlive: (attempted: string) => void,
  failIfTold: (step: CaptureStep) => void,
): Capture {
  const attempted = `capture machine ${process.spec.id}`;
  const refuse = (why: string) => new UniError("wrong_state", `${attempted}: ${why}`);
  if (process.guestExit) throw refuse("its guest has ended");
  if (process.isCaptured) throw refuse("it is being captured already");
  if (existsSync(target.directory)) throw refuse(`${target.directory} is there already`);
  failIfTold("capture");
  process.isCaptured = true;
  let taken: string | undefined;
  return {
    async take(signal) {
      signal.throwIfAborted();
      requireAlive("take");
      if (!process.paused || process.guestExit) throw refuse("it is not paused");
      if (taken !== undefined) throw refuse("it was taken already");
      failIfTold("take");
      taken = process.memory;
      process.disk = target.nextDisk.path;
    },
    async publish(signal) {
      signal.throwIfAborted();
      if (taken === undefined) throw refuse("it was not taken");
      failIfTold("publish");
      const { origin, spec } = process;
      const isDeep = origin !== undefined && fakeSnapshotFacts(origin)?.standsOn !== undefined;
      const bytes = writeFakeSnapshot(target.directory, {
        ...{ shape: spec.shape, memory: taken, disk: target.disk },
        standsOn: isDeep ? undefined : origin,
      });
      process.isCaptured = false;
      return { bytes };
    },
    async abandon() {
      process.isCaptured = false;
    },
  };
}
