/** When a certificate is asked for again. Pure. */
import type { ChallengeType } from "./options.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
/** Authorities count failures by the hour (Let's Encrypt: five of a name): four tries, and then patience. */
const delaysMs = [
  minuteMs / 2,
  2 * minuteMs,
  10 * minuteMs,
  30 * minuteMs,
  2 * hourMs,
  6 * hourMs,
  12 * hourMs,
];
const longestDelayMs = 24 * hourMs;
const longestObedienceMs = 7 * 24 * hourMs;
/** From then on it is called an error, though it is still tried once a day. */
export const patientAttempts = 5;

/** `failures` are all in a row until now; `random` lies in [0, 1). What the authority asks for comes first, within a week. */
export function nextAttempt(
  now: number,
  failures: number,
  retryAfterMs: number | undefined,
  random: number,
): number {
  const delay = delaysMs[failures - 1] ?? longestDelayMs;
  const obeyed = Math.min(retryAfterMs ?? 0, longestObedienceMs);
  return now + Math.max(Math.round(delay * (0.9 + 0.2 * random)), obeyed);
}

/** At two thirds of its life, or up to a twentieth of it earlier: certificates made together are not renewed together. */
export function renewalTime(notBefore: number, notAfter: number, random: number): number {
  const life = notAfter - notBefore;
  return Math.round(notBefore + (life * 2) / 3 - (life / 20) * random);
}

/** What can prove that a name is ours, best first. */
export function challengesFor(
  fqdn: string,
  configured: ChallengeType | undefined,
  hasDnsHook: boolean,
): readonly ChallengeType[] {
  const dns: readonly ChallengeType[] = hasDnsHook ? ["dns-01"] : [];
  // Only DNS proves a whole domain (RFC 8555, 7.1.3, and every authority's rules).
  if (fqdn.startsWith("*.")) return dns;
  return configured === undefined ? ["http-01", "tls-alpn-01", ...dns] : [configured];
}
