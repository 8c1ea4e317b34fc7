/** Follows redirects, and tells another host nothing that was meant for the first. */
import { UniError } from "@uni/contract/errors";
import { type Answer, type ExchangeContext, exchange, type Outgoing } from "./exchange.ts";

const mostRedirects = 6;
const statuses: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
/** These keep the method and the body (RFC 9110, 15.4.8 and 15.4.9). */
const keeping: ReadonlySet<number> = new Set([307, 308]);
/** What another host may be told. */
const harmless: ReadonlySet<string> = new Set(["accept", "range", "if-range", "content-type"]);

export async function exchangeFollowing(context: ExchangeContext, first: Outgoing): Promise<Answer> {
  let outgoing = first;
  for (let count = 0; ; count++) {
    const answer = await exchange(context, outgoing);
    const location = answer.headers.location;
    const isRead = outgoing.method === "GET" || outgoing.method === "HEAD";
    const follows = statuses.has(answer.status) && (isRead || keeping.has(answer.status));
    if (!follows || location === undefined) return answer;
    answer.discard();
    if (count >= mostRedirects) throw refused(first.url, `it redirects more than ${mostRedirects} times`);
    const url = next(location, outgoing.url);
    const headers = url.origin === outgoing.url.origin ? outgoing.headers : withoutSecrets(outgoing.headers);
    outgoing = { ...outgoing, url, headers };
  }
}

function next(location: string, from: URL): URL {
  const url = URL.parse(location, from.href);
  if (url === null || (url.protocol !== "https:" && url.protocol !== "http:") || url.username !== "") {
    throw refused(from, "it redirects to what is no address");
  }
  if (url.protocol === "http:" && from.protocol === "https:") {
    throw refused(from, `it redirects from TLS to plain HTTP at ${url.host}`);
  }
  return url;
}

const withoutSecrets = (headers: Outgoing["headers"]): Outgoing["headers"] =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => harmless.has(name)));

const refused = (url: URL, reason: string): UniError =>
  new UniError("registry_failed", `ask ${url.host}: ${reason}`);
