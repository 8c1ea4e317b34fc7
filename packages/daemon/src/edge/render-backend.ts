/** The two halves of a backend: members that are awake, and those that the next packet wakes or that still start. */

import { lateMember } from "./awaited-members.ts";
import { tellCrossing } from "./crossings.ts";
import { leadToLone, loneMember } from "./lone-members.ts";
import { isEmpty } from "./member-counts.ts";
import { asleepName, awakeName, type Backend, serverName, twinName } from "./names.ts";
import { answeringBackend, backendPages } from "./pages.ts";
import type { EdgeMember } from "./port.ts";
import type { Slots } from "./slots.ts";
import { tellLateWake, tellWake } from "./wakes.ts";

/** For documentation only (RFC 5737): a free place leads nowhere even if it were used. */
const nowhere = "192.0.2.1";

/** Raw protocols have clients that close their side and wait for the answer. */
const outliveHalfClose = "  no option abortonclose";

/** How often, and for how long each time, whoever wakes or starts is tried: a refusal is followed by a second's wait. */
const patience = { tries: 10, ms: 3_000 };

export function renderBackend(backend: Backend, slots: Slots): string[] {
  const isHttp = backend.rule.kind === "http";
  return [
    `backend ${awakeName(backend)}`,
    `  mode ${backend.rule.kind}`,
    "  balance leastconn",
    "  retries 2",
    "  option redispatch 1",
    ...(isHttp
      ? [...backendPages("awake", backend.grpc), ...tellCrossing(backend.group), ...tellLateWake]
      : [outliveHalfClose]),
    ...leadToLone(backend.group.id, slots),
    ...servers(backend, slots, ["awake"]),
    twin(backend, loneMember(backend.group)),
    `backend ${asleepName(backend)}`,
    `  mode ${backend.rule.kind}`,
    // Sleepers are filled one after the other: no more of them are woken than are needed.
    "  balance first",
    `  timeout connect ${patience.ms}ms`,
    `  retries ${patience.tries - 1}`,
    // The group has room for it: who was answered just now gives up its place at once.
    `  timeout queue ${patience.ms}ms`,
    ...(isHttp
      ? [...backendPages("asleep", backend.grpc), ...tellCrossing(backend.group), ...tellWake]
      : [outliveHalfClose]),
    ...servers(backend, slots, ["asleep", "starting"]),
    ...(backend.group.awaitsMembers
      ? ["  option redispatch 1", `${twin(backend, lateMember(backend.group))} backup`]
      : []),
  ];
}

/** Where requests go that reach no member. */
export const refusals: readonly string[] = [
  ...answeringBackend("unknown", [["unknown"]]),
  ...answeringBackend("refused", [["empty", isEmpty], ["full"]]),
];

function servers(backend: Backend, slots: Slots, states: readonly EdgeMember["state"][]): string[] {
  const { group } = backend;
  return slots.map((id, slot) => {
    const member = group.members.find((each) => each.id === id);
    const used = member !== undefined && states.includes(member.state);
    return server(backend, serverName(group.id, slot), member, used);
  });
}

/** A member once more. */
const twin = (backend: Backend, member: EdgeMember | undefined): string =>
  server(backend, twinName(backend.group.id), member, member !== undefined);

function server(
  { group, rule, grpc }: Backend,
  name: string,
  member: EdgeMember | undefined,
  used: boolean,
): string {
  // An idle connection would keep a member from falling asleep.
  const words = [`maxconn ${group.hardLimit}`, "pool-purge-delay 1s"];
  if (grpc) words.push("proto h2");
  if (rule.proxy) words.push("send-proxy-v2");
  if (!used) words.push("disabled");
  const { address = nowhere, port = rule.destinationPort } = member ?? {};
  return `  server ${name} ${address}:${port} ${words.join(" ")}`;
}
