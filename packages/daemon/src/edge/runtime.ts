/** Members that come, go, sleep and wake: commands to the running HAProxy instead of a reload. */
import type { Clock } from "../base/clock.ts";
import { countsFile, memberCounts } from "./member-counts.ts";
import { type Backend, backendOf, backendsOf } from "./names.ts";
import type { EdgeMember, EdgePlan } from "./port.ts";
import { serverName } from "./render-backend.ts";
import { askHaproxy } from "./runtime-socket.ts";
import type { SlotTable } from "./slots.ts";

/**
 * What the worker must be told so that its servers are as the plan says. Whoever comes into use does so before others go
 * out of it: at no moment is a group without a member.
 */
export function memberCommands(plan: EdgePlan, slots: SlotTable): string[] {
  const all = plan.groups.flatMap((group) =>
    backendsOf(group).flatMap((backend) =>
      (slots[group.id] ?? []).map((id, slot) => {
        const member = group.members.find((each) => each.id === id);
        return serverCommands(backend, serverName(slot), member);
      }),
    ),
  );
  const counts = plan.groups
    .flatMap(memberCounts)
    .map(([key, count]) => `set map ${countsFile} ${key} ${count}`);
  return [...all.flatMap(({ use }) => use), ...counts, ...all.flatMap(({ rest }) => rest)];
}

interface ServerCommands {
  readonly use: readonly string[];
  readonly rest: readonly string[];
}

function serverCommands(backend: Backend, server: string, member: EdgeMember | undefined): ServerCommands {
  const { group, kind, destinationPort, variant } = backend;
  const names = backendOf(group.id, kind, destinationPort, variant);
  const awake = `${names.awake}/${server}`;
  const asleep = `${names.asleep}/${server}`;
  const state = (name: string, word: string) => `set server ${name} state ${word}`;
  if (member === undefined) return { use: [], rest: [state(awake, "maint"), state(asleep, "maint")] };
  if (member.state === "draining") {
    return { use: [], rest: [state(awake, "drain"), state(asleep, "drain")] };
  }
  const [used, unused] = member.state === "awake" ? [awake, asleep] : [asleep, awake];
  const address = `addr ${member.address} port ${destinationPort}`;
  return {
    use: [`set server ${used} ${address}`, state(used, "ready")],
    rest: [state(unused, "maint")],
  };
}

const perRequest = 40;

/** False when HAProxy did not take one of them: then its configuration is not the one that it should have. */
export async function runCommands(
  socket: string,
  commands: readonly string[],
  clock: Clock,
): Promise<boolean> {
  for (let index = 0; index < commands.length; index += perRequest) {
    const answer = await askHaproxy(socket, commands.slice(index, index + perRequest).join(";"), clock);
    if (/No such|not found|Unable|Require|Unknown|Invalid|denied|can't|cannot/i.test(answer)) return false;
  }
  return true;
}

/** All at once: no request sees a part of it. False as above. */
export async function replaceMap(
  socket: string,
  file: string,
  entries: ReadonlyMap<string, string>,
  clock: Clock,
): Promise<boolean> {
  const version = /version created: (\d+)/.exec(await askHaproxy(socket, `prepare map ${file}`, clock))?.[1];
  if (version === undefined) return false;
  const adds = [...entries].map(([key, value]) => `add map @${version} ${file} ${key} ${value}`);
  const failed = !(await runCommands(socket, adds, clock));
  return !failed && runCommands(socket, [`commit map @${version} ${file}`], clock);
}
