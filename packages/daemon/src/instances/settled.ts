import type { InstanceStatus } from "./record.ts";

/** A program that never listens is as good as one that does after this. */
export const listensWithinMs = 10_000;

/** It has listened somewhere, or has had its time for it. */
export const hasSettled = (
  { netTimeUs, startedAt }: Pick<InstanceStatus, "netTimeUs" | "startedAt">,
  now: number,
): boolean => netTimeUs !== null || now - (startedAt ?? now) >= listensWithinMs;
