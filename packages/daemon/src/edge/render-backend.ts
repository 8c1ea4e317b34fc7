/** The two halves of a backend: members that are awake, and those that the next packet wakes. */
import { lookupCount } from "./member-counts.ts";
import { type Backend, backendOf } from "./names.ts";
import { type PageName, pageKey, pages } from "./pages.ts";
import type { EdgeMember } from "./port.ts";
import type { Slots } from "./slots.ts";

/** For documentation only (RFC 5737): a free place leads nowhere even if it were used. */
const nowhere = "192.0.2.1";

const wakeMs = 30_000;

export const serverName = (slot: number): string => `s${slot + 1}`;

export function renderBackend(backend: Backend, slots: Slots): string[] {
  const { group, kind, destinationPort, variant } = backend;
  const names = backendOf(group.id, kind, destinationPort, variant);
  const half = (state: "awake" | "asleep") => [
    `backend ${names[state]}`,
    `  mode ${kind}`,
    // Sleepers are filled one after the other: no more of them are woken than are needed.
    `  balance ${state === "awake" ? "leastconn" : "first"}`,
    ...(state === "awake" ? ["  option redispatch 1"] : [`  timeout connect ${wakeMs}ms`]),
    ...(kind === "http" ? httpAnswers(state === "awake" ? "refused" : "asleep") : []),
    ...refusals(backend, names.awake, names.asleep),
    ...servers(backend, slots, state),
  ];
  return [...half("awake"), ...half("asleep")];
}

/** The connection could not be made: HAProxy calls that 503, whatever the reason. */
function httpAnswers(unreachable: PageName): string[] {
  const { status } = pages[unreachable];
  const reason = status === 502 ? "Bad Gateway" : "Gateway Timeout";
  return [
    "  http-response del-header x-uni-edge",
    `  http-error status 503 content-type text/html lf-string "${lookup(unreachable)}" hdr x-uni-edge unreachable`,
    `  http-error status 502 content-type text/html lf-string "${lookup("broken")}" hdr x-uni-edge broken`,
    `  http-error status 504 content-type text/html lf-string "${lookup("slow")}" hdr x-uni-edge slow`,
    `  http-after-response set-status ${status} reason "${reason}" if { res.hdr(x-uni-edge) -m str unreachable }`,
    "  http-after-response set-header content-type application/json if { res.hdr(x-uni-edge) -m found } { var(txn.form) -m str json }",
    "  http-after-response del-header x-uni-edge",
  ];
}

const lookup = (name: PageName): string =>
  `%[str(${pageKey(name, "html").replace(/html$/, "")}),concat(,txn.form),map(pages.map)]`;

/** Counted before a server is chosen: whoever is beyond the limit is told at once instead of waiting in a queue. */
function refusals({ group, kind }: Backend, awake: string, asleep: string): string[] {
  const act = kind === "http" ? "http-request" : "tcp-request content";
  const refuse = (page: PageName, condition: string): string[] =>
    kind === "tcp"
      ? [`  tcp-request content reject if ${condition}`]
      : returnPage(page, condition).map((line) => `  ${line}`);
  return [
    `  ${act} set-var(txn.room) ${lookupCount(group.id, "room")}`,
    `  ${act} set-var(txn.waking) be_conn(${asleep})`,
    `  ${act} set-var(txn.excess) be_conn(${awake}),add(txn.waking),sub(txn.room)`,
    ...refuse("empty", "{ var(txn.room) -m int eq 0 }"),
    ...refuse("full", "{ var(txn.excess) -m int gt 0 }"),
  ];
}

/** In the form that the client asked for. */
export function returnPage(name: PageName, condition: string): string[] {
  return (["json", "html"] as const).map((form) => {
    const type = form === "json" ? "application/json" : "text/html";
    const body = `%[str(${pageKey(name, form)}),map(pages.map)]`;
    const asked = `{ var(txn.form) -m str ${form} }`;
    return `http-request return status ${pages[name].status} content-type ${type} lf-string "${body}" if ${condition} ${asked}`;
  });
}

function servers(
  { group, destinationPort, variant }: Backend,
  slots: Slots,
  state: EdgeMember["state"],
): string[] {
  // An idle connection would keep a member from falling asleep.
  const options = `maxconn ${group.hardLimit} pool-purge-delay 1s${variant === "grpc" ? " proto h2" : ""}`;
  return slots.map((id, slot) => {
    const member = group.members.find((each) => each.id === id);
    const disabled = member?.state === state ? "" : " disabled";
    return `  server ${serverName(slot)} ${member?.address ?? nowhere}:${destinationPort} ${options}${disabled}`;
  });
}
