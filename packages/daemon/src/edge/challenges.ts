/**
 * Answers to a certificate authority that validates a name (RFC 8555, 8.3 and RFC 8737), given by HAProxy itself. Without
 * a validation by TLS under way, nothing of it is on the path of other connections.
 */
import { type InnerSocketOptions, listenInside, reachInside } from "./inner-sockets.ts";
import type { EdgeChallenge, EdgePlan } from "./port.ts";
import { expectProxy } from "./sources.ts";

export const challengesFile = "challenges.map";
export const challengeCertificatesFile = "challenges.list";
const challengePath = "/.well-known/acme-challenge/";
const protocol = "acme-tls/1";

export const httpChallengePort = 80;
export const tlsChallengePort = 443;

type Of<Kind extends EdgeChallenge["kind"]> = Extract<EdgeChallenge, { kind: Kind }>;

const ofKind = <Kind extends EdgeChallenge["kind"]>(plan: EdgePlan, kind: Kind): Of<Kind>[] =>
  (plan.challenges ?? []).filter((each): each is Of<Kind> => each.kind === kind);

/** Those that must be listened on for the sake of validations. */
export const challengePorts = (plan: EdgePlan): number[] => [
  ...(ofKind(plan, "http").length > 0 ? [httpChallengePort] : []),
  ...(ofKind(plan, "tls").length > 0 ? [tlsChallengePort] : []),
];

export const withoutChallengesOn = (plan: EdgePlan, taken: ReadonlySet<number>): EdgeChallenge[] =>
  (plan.challenges ?? []).filter(
    ({ kind }) => !taken.has(kind === "http" ? httpChallengePort : tlsChallengePort),
  );

/** Host and path to the answer. */
export const challengeAnswers = (plan: EdgePlan): ReadonlyMap<string, string> =>
  new Map(ofKind(plan, "http").map(({ fqdn, token, answer }) => [`${fqdn}${challengePath}${token}`, answer]));

export const challengesMap = (plan: EdgePlan): string =>
  [...challengeAnswers(plan)].map(([key, answer]) => `${key} ${answer}\n`).join("");

/** While there is one, by HTTP: no other time do requests to port 80 cost a look at their path. */
export const hasHttpChallenges = (plan: EdgePlan): boolean => ofKind(plan, "http").length > 0;

/** Of the frontend of port 80. */
export function answerChallenges(hostName: string): string[] {
  const answer = `${hostName},concat(,txn.path),map(${challengesFile})`;
  return [
    `  http-request set-var(txn.path) path if { path -m beg ${challengePath} }`,
    `  http-request return status 200 content-type text/plain lf-string "%[${answer}]" if { var(txn.path) -m found } { ${answer} -m found }`,
  ];
}

export interface TlsChallengeOptions extends InnerSocketOptions {
  readonly bind: string;
  readonly proxies: readonly string[];
  readonly certificateFile: (path: string) => string;
}

export const hasTlsChallenges = (plan: EdgePlan): boolean => ofKind(plan, "tls").length > 0;

export const challengeCertificates = (
  plan: EdgePlan,
  { certificateFile }: Pick<TlsChallengeOptions, "certificateFile">,
): string =>
  ofKind(plan, "tls")
    .map(({ certificate, fqdn }) => `${certificateFile(certificate)} ${fqdn}\n`)
    .join("");

const answerSocket = "challenges.sock";
const usualSocket = "usual.sock";

/** Where the usual frontend of port 443 listens while `tlsChallengeSections` hold the port itself. */
export const behindTlsChallenges = (options: TlsChallengeOptions): string =>
  `${listenInside(options, usualSocket)} accept-proxy`;

/**
 * Which certificate is shown depends on the protocol that the client offers, and HAProxy chooses by name alone: so
 * connections are parted before any TLS.
 */
export function tlsChallengeSections(hasUsual: boolean, options: TlsChallengeOptions): string[][] {
  const usual = hasUsual ? ["  default_backend usual-tls"] : ["  tcp-request content reject"];
  return [
    [
      "frontend part-tls",
      "  mode tcp",
      `  bind ${options.bind}:${tlsChallengePort}`,
      ...expectProxy(options.proxies),
      "  tcp-request inspect-delay 5s",
      `  tcp-request content accept if { req.ssl_alpn -m str ${protocol} }`,
      ...(hasUsual ? ["  tcp-request content accept if { req.ssl_hello_type 1 }"] : usual),
      `  use_backend tls-challenges if { req.ssl_alpn -m str ${protocol} }`,
      ...(hasUsual ? usual : []),
    ],
    ["backend tls-challenges", "  mode tcp", `  server answers ${reachInside(answerSocket)}`],
    [
      "frontend tls-challenge-answers",
      "  mode tcp",
      `  bind ${listenInside(options, answerSocket)} ssl crt-list ${challengeCertificatesFile} alpn ${protocol}`,
      // The handshake is the whole answer.
      "  tcp-request content reject",
    ],
    ...(hasUsual
      ? [["backend usual-tls", "  mode tcp", `  server usual ${reachInside(usualSocket)} send-proxy-v2`]]
      : []),
  ];
}
