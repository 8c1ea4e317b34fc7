/**
 * Takes captures that have begun, as of one instant: the one when the last of the running machines stops. A machine that
 * stands does not change, so it is taken at once, whether others still run or not; and none goes on before all stand, so that
 * nothing sent after the instant is in what is taken. Taking a machine costs a processor its time: no more are taken at once
 * than there are processors, and when the last one stands, those that are taken go on before it is taken itself.
 *
 * What is sent to a machine that stands waits outside of it: packets in its TAP (QEMU's network card takes none while the
 * machine stands: virtio_net_can_receive in hw/net/virtio-net.c), the daemon's own words to its agent in the channel.
 */

import type { Clock } from "../base/clock.ts";
import { settled } from "../base/settled.ts";
import { sideBySide } from "../base/side-by-side.ts";
import type { LiveInstance } from "../instances/lifecycle.ts";
import type { Capture, Machine } from "../vmm/port.ts";

export interface Taken {
  readonly held: { live(): { readonly channel: Pick<LiveInstance["channel"], "hold"> } | undefined };
  readonly machine: Pick<Machine, "pause" | "resume"> | undefined;
  readonly runs: boolean;
  readonly capture: Pick<Capture, "take"> | undefined;
}

export interface TakeOptions {
  readonly clock: Clock;
  /** The machines do not go on. */
  readonly ends: boolean;
  /** How many are taken at the same time. */
  readonly atOnce: number;
  readonly signal: AbortSignal;
}

/** For how long each that runs stood, in milliseconds. After a failure some stand and some do not. */
export async function takeTogether(
  begun: readonly Taken[],
  { clock, ends, atOnce, signal }: TakeOptions,
): Promise<number[]> {
  const running = begun.filter(({ runs }) => runs);
  await settled(begun.map(async ({ runs, capture }) => (runs ? undefined : capture?.take(signal))));
  const allStand = Promise.withResolvers<void>();
  allStand.promise.catch(() => {});
  const letGo: (() => void)[] = [];
  const stood = new Map<Taken, Promise<number>>();
  let standing = 0;

  const goOn = async ({ machine }: Taken, sinceUs: number) => {
    await allStand.promise;
    if (!ends) await machine?.resume();
    return (clock.monotonicUs() - sinceUs) / 1000;
  };
  const take = async (one: Taken): Promise<void> => {
    signal.throwIfAborted();
    const sinceUs = clock.monotonicUs();
    await one.machine?.pause();
    standing += 1;
    if (standing === running.length) {
      for (const { held } of running) letGo.push(held.live()?.channel.hold() ?? (() => {}));
      allStand.resolve();
      // Those that are taken have stood for longer, and need a processor for a moment only.
      await Promise.allSettled(stood.values());
    }
    await one.capture?.take(signal);
    const gone = goOn(one, sinceUs);
    gone.catch(() => {});
    stood.set(one, gone);
  };
  try {
    await sideBySide(running, atOnce, take);
    return await settled(running.map(async (one) => (await stood.get(one)) ?? 0));
  } catch (error) {
    allStand.reject(error);
    throw error;
  } finally {
    await Promise.allSettled(stood.values());
    for (const release of letGo) release();
  }
}
