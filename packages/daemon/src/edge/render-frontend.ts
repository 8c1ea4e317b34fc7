/** One frontend per public port: from a host name to the backend of a group. */
import { answerChallenges } from "./challenges.ts";
import { countInFlight, isCalm, isFull, isSaturated } from "./member-counts.ts";
import { asleepSuffix, grpcSuffix, targetName } from "./names.ts";
import { captureForm, speaksGrpc } from "./pages.ts";
import type { EdgeGroup, EdgePortRule } from "./port.ts";
import { sleepersBackend } from "./sleepers.ts";
import { acceptSources } from "./sources.ts";
import { noteBeginning } from "./wakes.ts";

export interface Route {
  readonly group: EdgeGroup;
  readonly rule: EdgePortRule;
}

export const hostsFile = (port: number): string => `hosts-${port}.map`;
export const certificatesFile = (port: number): string => `certificates-${port}.list`;

const redirect = "redirect";

export interface FrontendOptions {
  /** HAProxy's words for where. */
  readonly listen: string;
  /** Networks whose connections begin with the PROXY protocol. */
  readonly proxies: readonly string[];
  /** Answers to validations are looked for. */
  readonly challenged: boolean;
}

/** Without routes it answers a validation, and nothing else. */
export function renderFrontend(port: number, routes: readonly Route[], options: FrontendOptions): string[] {
  const isTcp = routes.length > 0 && routes.every(({ rule }) => rule.kind === "tcp");
  return isTcp ? tcpFrontend(port, routes, options) : httpFrontend(port, routes, options);
}

/** Which name leads where; a wildcard stands in it as it is written. */
export function hostsMap(routes: readonly Route[]): string {
  return routes
    .flatMap(({ group, rule }) => group.domains.map(({ fqdn }) => `${fqdn} ${targetOf(group, rule)}\n`))
    .join("");
}

const targetOf = (group: EdgeGroup, rule: EdgePortRule): string =>
  rule.kind === "redirect" ? redirect : targetName(group.id, rule);

function httpFrontend(
  port: number,
  routes: readonly Route[],
  { listen, proxies, challenged }: FrontendOptions,
): string[] {
  const tls = routes.some(({ rule }) => rule.kind !== "redirect" && rule.tls);
  const redirects = routes.some(({ rule }) => rule.kind === "redirect");
  return [
    `frontend port-${port}`,
    "  mode http",
    `  bind ${listen}${tls ? ` ssl crt-list ${certificatesFile(port)} alpn h2,http/1.1` : ""}`,
    ...acceptSources(proxies),
    ...captureForm,
    ...(challenged ? answerChallenges(hostName) : []),
    ...findTarget("http-request", hostName, port, routes),
    ...(redirects
      ? [
          `  http-request redirect location https://%[${hostName}]%[pathq] code 308 if { var(txn.target) -m str ${redirect} }`,
        ]
      : []),
    ...forwardedHeaders(port, tls),
    noteBeginning,
    ...countInFlight("http-request"),
    // First what nearly all requests are: nothing more is asked about them.
    `  use_backend %[var(txn.target)] if ${isCalm} !${speaksGrpc}`,
    `  use_backend refused if ${isFull}`,
    `  use_backend ${sleepersBackend} if ${isSaturated}`,
    `  use_backend %[var(txn.target),concat(${grpcSuffix})] if ${speaksGrpc}`,
    "  use_backend %[var(txn.target)]",
    "  default_backend unknown",
  ];
}

/** What a client says of itself in these is not believed. */
function forwardedHeaders(port: number, tls: boolean): string[] {
  return [
    "  http-request del-header forwarded",
    "  http-request del-header x-forwarded- -m beg",
    "  http-request del-header x-real-ip",
    // Much cheaper than a rule; what it adds comes after all rules.
    "  option forwardfor header x-forwarded-for",
    `  http-request add-header x-forwarded-proto ${tls ? "https" : "http"}`,
    "  http-request add-header x-forwarded-host %[req.hdr(host)]",
    `  http-request add-header x-forwarded-port ${port}`,
  ];
}

function tcpFrontend(port: number, routes: readonly Route[], { listen, proxies }: FrontendOptions): string[] {
  const [only, ...others] = routes;
  const alone = only !== undefined && others.length === 0 ? targetOf(only.group, only.rule) : undefined;
  const act = "tcp-request content";
  return [
    `frontend port-${port}`,
    "  mode tcp",
    "  timeout client 1h",
    `  bind ${listen} ssl crt-list ${certificatesFile(port)}`,
    ...acceptSources(proxies),
    ...findTarget(act, "ssl_fc_sni,lower", port, routes),
    // Not every client of a raw protocol names the host.
    ...(alone === undefined ? [] : [`  ${act} set-var(txn.target) str(${alone}) if !{ ssl_fc_has_sni }`]),
    `  ${act} reject if !{ var(txn.target) -m found }`,
    ...countInFlight(act),
    `  ${act} reject if ${isFull}`,
    `  use_backend %[var(txn.target),concat(${asleepSuffix})] if ${isSaturated}`,
    "  use_backend %[var(txn.target)]",
  ];
}

/** As a client names it, without port and final dot. */
const hostName = "req.hdr(host),host_only,lower,rtrim(.)";

function findTarget(act: string, name: string, port: number, routes: readonly Route[]): string[] {
  const map = `map(${hostsFile(port)})`;
  const wild = routes.some(({ group }) => group.domains.some(({ fqdn }) => fqdn.startsWith("*")));
  return [
    `  ${act} set-var(txn.target) ${name},${map}`,
    ...(wild
      ? [
          `  ${act} set-var(txn.target) '${name},regsub("^[^.]*","*"),${map}' if !{ var(txn.target) -m found }`,
        ]
      : []),
  ];
}
