/** Members that come, go, sleep and wake: commands to the running HAProxy instead of a reload. */
import type { Clock } from "../base/clock.ts";
import { lateMember } from "./awaited-members.ts";
import { loneMember } from "./lone-members.ts";
import { countCommands } from "./member-counts.ts";
import { asleepName, awakeName, type Backend, backendsOf, serverName, twinName } from "./names.ts";
import type { EdgeMember, EdgePlan } from "./port.ts";
import { askHaproxy } from "./runtime-socket.ts";
import type { SlotTable } from "./slots.ts";

/**
 * What the worker must be told so that its servers are as the plan says. Whoever comes into use does so before others go
 * out of it: at no moment is a group without a member.
 */
export function memberCommands(plan: EdgePlan, slots: SlotTable): string[] {
  const all = plan.groups.flatMap((group) =>
    backendsOf(group).flatMap((backend) => [
      ...(slots[group.id] ?? []).flatMap((id, slot) => {
        const member = group.members.find((each) => each.id === id);
        const name = serverName(group.id, slot);
        const limit = [`${awakeName(backend)}/${name}`, `${asleepName(backend)}/${name}`].map(
          (server) => `set maxconn server ${server} ${group.hardLimit}`,
        );
        return [{ use: limit, rest: [] }, serverCommands(backend, name, member)];
      }),
      twinCommands(backend, awakeName(backend), loneMember(group)),
      ...(group.awaitsMembers ? [twinCommands(backend, asleepName(backend), lateMember(group))] : []),
    ]),
  );
  return [
    ...all.flatMap(({ use }) => use),
    ...countCommands(plan.groups),
    ...all.flatMap(({ rest }) => rest),
  ];
}

interface ServerCommands {
  readonly use: readonly string[];
  readonly rest: readonly string[];
}

function serverCommands(backend: Backend, name: string, member: EdgeMember | undefined): ServerCommands {
  const awake = `${awakeName(backend)}/${name}`;
  const asleep = `${asleepName(backend)}/${name}`;
  // One that drains, too: what it has goes on, and `use-server` passes over it.
  if (member === undefined || member.state === "draining") {
    return { use: [], rest: [stateOf(awake, "maint"), stateOf(asleep, "maint")] };
  }
  const [used, unused] = member.state === "awake" ? [awake, asleep] : [asleep, awake];
  return { use: useOf(backend, used, member), rest: [stateOf(unused, "maint")] };
}

function twinCommands(backend: Backend, half: string, member: EdgeMember | undefined): ServerCommands {
  const twin = `${half}/${twinName(backend.group.id)}`;
  const limit = `set maxconn server ${twin} ${backend.group.hardLimit}`;
  return member === undefined
    ? { use: [limit], rest: [stateOf(twin, "maint")] }
    : { use: [limit, ...useOf(backend, twin, member)], rest: [] };
}

const stateOf = (server: string, word: string): string => `set server ${server} state ${word}`;

const useOf = ({ rule }: Backend, server: string, { address, port }: EdgeMember): string[] => [
  `set server ${server} addr ${address} port ${port ?? rule.destinationPort}`,
  stateOf(server, "ready"),
];

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

/** New connections are shown it; open ones go on. False as above. */
export async function renewCertificate(
  socket: string,
  file: string,
  pem: string,
  clock: Clock,
): Promise<boolean> {
  // An empty line would end it early.
  const lines = pem.split(/\r?\n/).filter((line) => line.trim() !== "");
  const set = await askHaproxy(socket, `set ssl cert ${file} <<\n${lines.join("\n")}\n`, clock);
  if (!/Transaction (created|updated)/.test(set)) return false;
  return (await askHaproxy(socket, `commit ssl cert ${file}`, clock)).includes("Success!");
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
