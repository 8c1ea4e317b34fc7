/** Acts on a family, several at once, while the daemon or a machine may be killed; then everything is as the acts say. */
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { kill, machinesOf } from "../kit/processes.ts";
import { until } from "../kit/until.ts";
import type { Family, Outcome } from "./family.ts";
import { type Random, shuffled } from "./random.ts";

export interface Bout {
  readonly family: Family;
  readonly random: Random;
  readonly note: (text: string) => void;
}

const most = { instances: 3, checkpoints: 4, templates: 2 };

interface Act {
  readonly what: string;
  readonly run: () => Promise<Outcome>;
}

/** One for each instance, so that it is known what must come of it; those that only read may meet. */
function actsOf({ family, random }: Bout): Act[] {
  const pick = (names: readonly string[]) => names[Math.floor(random() * names.length)];
  const instances = shuffled(random, family.names("instances"));
  const acts: Act[] = instances.map((name) => {
    const old = pick(family.checkpointsOf(name));
    const suffix = family.newName();
    const choices: readonly Act[] = [
      { what: `write ${name}`, run: () => family.write(name, suffix) },
      { what: `keep ${name}`, run: () => family.checkpoint(name, suffix) },
      { what: `branch ${name}`, run: () => family.branch([name], suffix) },
      { what: `branch ${name} twice`, run: () => twice(family, name, suffix) },
      { what: `fork ${name}`, run: () => family.fork(name) },
      { what: `suspend ${name}`, run: () => family.ask("suspend", name) },
      { what: `start ${name}`, run: () => family.ask("start", name) },
      ...(old === undefined ? [] : [{ what: `rewind ${name}`, run: () => family.rewind(name, old) }]),
      ...(instances.length < 2
        ? []
        : [{ what: `make ${name} a template`, run: () => family.turnIntoTemplate(name) }]),
    ];
    return choices[Math.floor(random() * choices.length)] as Act;
  });
  const [first, second] = instances;
  if (first !== undefined && second !== undefined && random() < 0.3) {
    const suffix = family.newName();
    acts.splice(0, 2, {
      what: `keep or branch ${first} and ${second} together`,
      run: () =>
        suffix.endsWith("1")
          ? family.branch([first, second], suffix)
          : family.checkpointTogether([first, second], suffix),
    });
  }
  const [checkpoint, template] = [pick(family.names("checkpoints")), pick(family.names("templates"))];
  const name = family.newName();
  if (checkpoint !== undefined && random() < 0.4)
    acts.push({
      what: `make ${name} of ${checkpoint}`,
      run: () => family.make("checkpoints", checkpoint, name),
    });
  else if (template !== undefined)
    acts.push({ what: `make ${name} of ${template}`, run: () => family.make("templates", template, name) });
  return acts;
}

async function twice(family: Family, name: string, suffix: string): Promise<Outcome> {
  const [first] = await Promise.all([family.branch([name], suffix), family.branch([name], `${suffix}-2`)]);
  return first ?? assert.fail();
}

async function removeMany({ family, random, note }: Bout): Promise<void> {
  for (const kind of ["instances", "checkpoints", "templates"] as const) {
    const names = shuffled(random, family.names(kind));
    for (const name of names.slice(most[kind])) {
      note(`remove ${name}`);
      assert.equal(await family.remove(kind, name), "done");
    }
  }
}

export async function playBout(bout: Bout): Promise<void> {
  const { family, random, note } = bout;
  const acts = actsOf(bout);
  const [victim] = shuffled(random, family.names("instances"));
  const fate = random();
  family.disturbed = fate < 0.5;
  if (fate < 0.25 && victim !== undefined) family.forget(victim);
  note(acts.map(({ what }) => what).join(", "));
  const outcomes = Promise.all(acts.map(({ run }) => run()));
  outcomes.catch(() => {}); // Met below.
  await pause(random() * 600);
  if (fate < 0.25 && victim !== undefined) {
    note(`the machine of ${victim} is killed`);
    const { body } = await family.daemon.rest("GET", `/instances?name=${victim}`);
    const { uuid } = body.data.instances[0];
    if (uuid !== undefined) kill(machinesOf(uuid));
  } else if (fate < 0.5) {
    note("the daemon is killed");
    await family.daemon.kill();
    await family.daemon.start();
  }
  const went = await outcomes;
  note(went.map((outcome) => (typeof outcome === "string" ? outcome : outcome.code)).join(", "));
  await until("the daemon has looked at all", async () => (await family.daemon.uni(["ps"])).code === 0);
  await family.settle();
  await removeMany(bout);
}
