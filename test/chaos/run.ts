/** Rounds of faults in random order, under load; after each of them everything is checked. */
import assert from "node:assert/strict";
import type { TestDaemon } from "../kit/daemon.ts";
import { httpClient } from "../kit/load.ts";
import { buildBusybox } from "../kit/machine-test.ts";
import { faults } from "./faults.ts";
import { seeded, shuffled } from "./random.ts";
import { answerOf, isSound, makeWorld, type World, weigh } from "./world.ts";

export interface ChaosOptions {
  readonly daemon: TestDaemon;
  readonly seed: number;
  /** Rounds are begun until this is over; one at least. */
  readonly ms: number;
  readonly print: (line: string) => void;
  /** Faults whose names hold this, and no others. */
  readonly only?: string;
}

/** Of a daemon that serves four instances; what it gains above is a leak. */
const most = { rssMb: 250, descriptors: 100 };

export async function runChaos({ daemon, seed, ms, print, only = "" }: ChaosOptions): Promise<void> {
  const random = seeded(seed);
  const startMs = performance.now();
  const note = (text: string) =>
    print(`${((performance.now() - startMs) / 1000).toFixed(1).padStart(7)} s  ${text}`);
  print(`chaos: seed ${seed}`);
  await buildBusybox(daemon);
  const world = await makeWorld(daemon, random, note);
  const chosen = Object.entries(faults).filter(([name]) => name.includes(only));
  try {
    do {
      for (const [name, fault] of shuffled(random, chosen)) {
        note(name);
        await fault(world);
        await isSound(world);
        const weight = weigh(world);
        assert.ok(weight.rssMb < most.rssMb && weight.descriptors < most.descriptors, JSON.stringify(weight));
      }
      const { rssMb, descriptors } = weigh(world);
      note(
        `${world.answered()} answers; the daemon has ${Math.round(rssMb)} MiB and ${descriptors} descriptors`,
      );
    } while (performance.now() - startMs < ms);
    await privateTrafficWasAnswered(world);
  } catch (error) {
    throw new Error(`chaos with seed ${seed}: the daemon's log ends with\n${daemon.logTail(20)}`, {
      cause: error,
    });
  } finally {
    await world.end();
  }
  world.check();
  await daemon.ok(["rm", "-f", "deep", "awake", "victim", "fresh"]);
}

/** One instance asked another one all the time; that one was never taken its memory. */
async function privateTrafficWasAnswered(world: World): Promise<void> {
  const { host } = world.subject("awake");
  const [ok, no] = (await answerOf(httpClient("private traffic", host, 8080, "/private")))
    .split(" ")
    .map(Number);
  assert.ok((ok ?? 0) >= 10 && no === 0, `between instances ${ok} requests were answered, ${no} were not`);
}
