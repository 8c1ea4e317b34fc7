/**
 * Takes captures that have begun, as of one instant: the one when the last of the running machines stops. A machine that
 * stands does not change, so it is taken at once, whether others still run or not; and none goes on before all stand, so that
 * nothing sent after the instant is in what is taken. Reading a machine costs a processor its time: no more are read at once
 * than there are processors, and when the last one stands, those that are read go on before it is read itself.
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
  /** How many are read at the same time. */
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
  /** Of those that are read. */
  const leaving: Promise<number>[] = [];
  let standing = 0;

  const goOn = async ({ machine }: Taken, taken: Promise<void> | undefined, sinceUs: number) => {
    await taken;
    await allStand.promise;
    if (!ends) await machine?.resume();
    return (clock.monotonicUs() - sinceUs) / 1000;
  };
  const read = async (one: Taken): Promise<void> => {
    signal.throwIfAborted();
    const sinceUs = clock.monotonicUs();
    await one.machine?.pause();
    standing += 1;
    if (standing === running.length) {
      for (const { held } of running) letGo.push(held.live()?.channel.hold() ?? (() => {}));
      allStand.resolve();
      // They have stood for longer, and need a processor for a moment only.
      await Promise.allSettled(leaving);
    }
    const isRead = Promise.withResolvers<void>();
    const taken = one.capture?.take(signal, isRead.resolve);
    const gone = goOn(one, taken, sinceUs);
    gone.catch(() => {});
    stood.set(one, gone);
    await Promise.race([isRead.promise, taken]);
    leaving.push(gone);
  };
  try {
    await sideBySide(running, atOnce, read);
    return await settled(running.map(async (one) => (await stood.get(one)) ?? 0));
  } catch (error) {
    allStand.reject(error);
    throw error;
  } finally {
    await Promise.allSettled(stood.values());
    for (const release of letGo) release();
  }
}
