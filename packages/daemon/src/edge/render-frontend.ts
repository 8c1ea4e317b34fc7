/** One frontend per public port: from a host name to the backend of a group. */
import { answerChallenges, httpChallengePort } from "./challenges.ts";
import { lookupCount } from "./member-counts.ts";
import { backendOf, type Variant } from "./names.ts";
import type { EdgeGroup, EdgePortRule } from "./port.ts";
import { returnPage } from "./render-backend.ts";

export interface Route {
  readonly group: EdgeGroup;
  readonly rule: EdgePortRule;
}

export const hostsFile = (port: number): string => `hosts-${port}.map`;
export const certificatesFile = (port: number): string => `certificates-${port}.list`;

const redirect = "redirect";

/** `listen`: HAProxy's words for where. Without routes it answers a validation, and nothing else. */
export function renderFrontend(port: number, routes: readonly Route[], listen: string): string[] {
  const isTcp = routes.length > 0 && routes.every(({ rule }) => rule.kind === "tcp");
  return isTcp ? tcpFrontend(port, routes, listen) : httpFrontend(port, routes, listen);
}

/** Which name leads where; a wildcard stands in it as it is written. */
export function hostsMap(routes: readonly Route[]): string {
  return routes
    .flatMap(({ group, rule }) => group.domains.map(({ fqdn }) => `${fqdn} ${target(group, rule)}\n`))
    .join("");
}

const target = (group: EdgeGroup, rule: EdgePortRule): string =>
  rule.kind === "redirect" ? redirect : backendOf(group.id, rule.kind, rule.destinationPort, "plain").awake;

function httpFrontend(port: number, routes: readonly Route[], listen: string): string[] {
  const tls = routes.some(({ rule }) => rule.kind !== "redirect" && rule.tls);
  const unknown = "!{ var(txn.target) -m found }";
  return [
    `frontend port-${port}`,
    "  mode http",
    `  bind ${listen}${tls ? ` ssl crt-list ${certificatesFile(port)} alpn h2,http/1.1` : ""}`,
    "  http-request set-var(txn.form) str(html)",
    "  http-request set-var(txn.form) str(json) if { req.hdr(accept) -i -m sub application/json }",
    "  http-request set-var(txn.host) req.hdr(host),host_only,lower,rtrim(.)",
    ...(port === httpChallengePort ? answerChallenges : []),
    ...findTarget("http-request", port),
    ...returnPage("unknown", unknown).map((line) => `  ${line}`),
    `  http-request redirect location https://%[var(txn.host)]%[pathq] code 308 if { var(txn.target) -m str ${redirect} }`,
    ...forwardedHeaders(port, tls),
    ...routes.flatMap(({ group, rule }) =>
      rule.kind === "redirect" ? [] : httpChoice(group, rule.destinationPort),
    ),
    "  use_backend %[var(txn.target)]",
  ];
}

/** What a client says of itself in these is not believed. */
function forwardedHeaders(port: number, tls: boolean): string[] {
  return [
    "  http-request del-header forwarded",
    "  http-request del-header x-forwarded- -m beg",
    "  http-request del-header x-real-ip",
    "  http-request set-header x-forwarded-for %[src]",
    `  http-request set-header x-forwarded-proto ${tls ? "https" : "http"}`,
    "  http-request set-header x-forwarded-host %[req.hdr(host)]",
    `  http-request set-header x-forwarded-port ${port}`,
  ];
}

function httpChoice(group: EdgeGroup, destinationPort: number): string[] {
  const plain = backendOf(group.id, "http", destinationPort, "plain");
  const grpc = backendOf(group.id, "http", destinationPort, "grpc");
  const own = `{ var(txn.target) -m str ${plain.awake} }`;
  const isGrpc = "{ req.hdr(content-type) -m beg application/grpc }";
  const choose = (variant: Variant, condition: string): string[] => {
    const { awake, asleep } = variant === "grpc" ? grpc : plain;
    return measure("http-request", group, awake, asleep, condition);
  };
  return [
    ...choose("plain", own),
    ...choose("grpc", `${own} ${isGrpc}`),
    `  use_backend ${grpc.asleep} if ${own} ${isGrpc} ${saturated(group)}`,
    `  use_backend ${grpc.awake} if ${own} ${isGrpc}`,
    `  use_backend ${plain.asleep} if ${own} ${saturated(group)}`,
  ];
}

function tcpFrontend(port: number, routes: readonly Route[], listen: string): string[] {
  const [only, ...others] = routes;
  const alone = only !== undefined && others.length === 0 ? target(only.group, only.rule) : undefined;
  return [
    `frontend port-${port}`,
    "  mode tcp",
    "  timeout client 1h",
    `  bind ${listen} ssl crt-list ${certificatesFile(port)}`,
    "  tcp-request content set-var(txn.host) ssl_fc_sni,lower",
    ...findTarget("tcp-request content", port),
    // Not every client of a raw protocol names the host.
    ...(alone === undefined
      ? []
      : [`  tcp-request content set-var(txn.target) str(${alone}) if !{ ssl_fc_has_sni }`]),
    "  tcp-request content reject if !{ var(txn.target) -m found }",
    ...routes.flatMap(({ group, rule }) => {
      if (rule.kind === "redirect") return [];
      const { awake, asleep } = backendOf(group.id, "tcp", rule.destinationPort, "plain");
      const own = `{ var(txn.target) -m str ${awake} }`;
      return [
        ...measure("tcp-request content", group, awake, asleep, own),
        `  use_backend ${asleep} if ${own} ${saturated(group)}`,
      ];
    }),
    "  use_backend %[var(txn.target)]",
  ];
}

function findTarget(act: string, port: number): string[] {
  const map = `map(${hostsFile(port)})`;
  return [
    `  ${act} set-var(txn.target) var(txn.host),${map}`,
    `  ${act} set-var(txn.target) 'var(txn.host),regsub("^[^.]*","*"),${map}' if !{ var(txn.target) -m found }`,
  ];
}

/** How much more the members that are awake may get before one that sleeps is used. */
function measure(act: string, group: EdgeGroup, awake: string, asleep: string, condition: string): string[] {
  return [
    `  ${act} set-var(txn.load) be_conn(${asleep}) if ${condition}`,
    `  ${act} set-var(txn.load) be_conn(${awake}),add(txn.load) if ${condition}`,
    `  ${act} set-var(txn.spare) ${lookupCount(group.id, "spare")},sub(txn.load) if ${condition}`,
  ];
}

const saturated = ({ id }: EdgeGroup): string =>
  `{ var(txn.spare) -m int le 0 } { ${lookupCount(id, "asleep")} gt 0 }`;
