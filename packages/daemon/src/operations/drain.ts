import type { Clock } from "../base/clock.ts";
import type { LiveInstance } from "../instances/lifecycle.ts";
import { connectionsOf } from "./instance-stats.ts";

const lookAgainMs = 200;

/** Resolves when the guest has no open connection, is gone, or `drainMs` are over. */
export async function waitForConnections(
  { clock, live }: { readonly clock: Clock; readonly live: () => LiveInstance | undefined },
  drainMs: number,
  signal: AbortSignal,
): Promise<void> {
  const endUs = clock.monotonicUs() + drainMs * 1000;
  while (clock.monotonicUs() < endUs && (await connectionsOf(live())) > 0) {
    await clock.sleep(Math.min(lookAgainMs, (endUs - clock.monotonicUs()) / 1000), signal);
  }
}
