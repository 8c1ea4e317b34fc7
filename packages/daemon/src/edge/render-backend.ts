/** The two halves of a backend: members that are awake, and those that the next packet wakes or that still start. */
import { leadToLone, loneMember } from "./lone-members.ts";
import { isEmpty } from "./member-counts.ts";
import { asleepName, awakeName, type Backend, serverName, twinName } from "./names.ts";
import { answeringBackend, backendPages } from "./pages.ts";
import type { EdgeMember } from "./port.ts";
import type { Slots } from "./slots.ts";
import { tellWake } from "./wakes.ts";

/** For documentation only (RFC 5737): a free place leads nowhere even if it were used. */
const nowhere = "192.0.2.1";

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
    ...(isHttp ? [...backendPages("refused"), ...tellWake] : []),
    leadToLone,
    ...servers(backend, slots, ["awake"]),
    twin(backend),
    `backend ${asleepName(backend)}`,
    `  mode ${backend.rule.kind}`,
    // Sleepers are filled one after the other: no more of them are woken than are needed.
    "  balance first",
    `  timeout connect ${patience.ms}ms`,
    `  retries ${patience.tries - 1}`,
    ...(isHttp ? [...backendPages("asleep"), ...tellWake] : []),
    ...servers(backend, slots, ["asleep", "starting"]),
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
    return server(backend, serverName(group.id, slot), member?.address, used);
  });
}

/** The only member that is awake, once more. */
function twin(backend: Backend): string {
  const lone = loneMember(backend.group);
  return server(backend, twinName(backend.group.id), lone?.address, lone !== undefined);
}

function server(
  { group, rule, grpc }: Backend,
  name: string,
  address: string | undefined,
  used: boolean,
): string {
  // An idle connection would keep a member from falling asleep.
  const words = [`maxconn ${group.hardLimit}`, "pool-purge-delay 1s"];
  if (grpc) words.push("proto h2");
  if (rule.proxy) words.push("send-proxy-v2");
  if (!used) words.push("disabled");
  return `  server ${name} ${address ?? nowhere}:${rule.destinationPort} ${words.join(" ")}`;
}
