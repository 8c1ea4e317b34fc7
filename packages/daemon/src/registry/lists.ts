/** Tags, repositories and referrers, in pages: a page that has a next one says so in a Link header (RFC 5988). */
import type { Digest } from "@uni/contract/ids";
import type { FastifyReply } from "fastify";
import type { Exchange } from "./exchange.ts";
import { refusal } from "./refusals.ts";

const mostNames = 1_000;
/** Each may have much to say. */
const mostReferrers = 64;

export async function serveTags(exchange: Exchange, repository: string): Promise<FastifyReply> {
  requireGet(exchange);
  const tags = await exchange.repositories.tags(repository);
  if (tags === undefined) throw refusal("NAME_UNKNOWN", 404, `there is no repository "${repository}"`);
  return exchange.reply.send({ name: repository, tags: page(exchange, tags) });
}

/** No part of the specification; what Docker's registry has always had. */
export async function serveCatalog(exchange: Exchange): Promise<FastifyReply> {
  requireGet(exchange);
  const { repositories, access, visitor, reply } = exchange;
  const all = await repositories.names();
  const own = all.filter((repository) => access.owns(visitor.account, repository));
  return reply.send({ repositories: page(exchange, own) });
}

export async function serveReferrers(
  exchange: Exchange,
  { repository, digest }: { readonly repository: string; readonly digest: Digest },
): Promise<FastifyReply> {
  requireGet(exchange);
  const { repositories, query, reply } = exchange;
  const artifactType = query.get("artifactType") ?? undefined;
  const found = await repositories.referrers(repository, digest, {
    artifactType,
    last: query.get("last") ?? "",
    count: mostReferrers + 1,
  });
  const shown = found.slice(0, mostReferrers);
  const last = shown.at(-1)?.digest;
  if (found.length > shown.length && last !== undefined) linkToNext(exchange, { last });
  if (artifactType !== undefined) reply.header("oci-filters-applied", "artifactType");
  const mediaType = "application/vnd.oci.image.index.v1+json";
  const manifests = shown.map((referrer) => ({
    mediaType: referrer.mediaType,
    digest: referrer.digest,
    size: referrer.size,
    ...(referrer.artifactType === "" ? {} : { artifactType: referrer.artifactType }),
    ...(Object.keys(referrer.annotations).length === 0 ? {} : { annotations: referrer.annotations }),
  }));
  // As bytes: to text a character set would be added.
  const index = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests }));
  return reply.header("content-type", mediaType).send(index);
}

/** What follows `last`, in the order that the list has; also where `last` is no longer in it. */
function page(exchange: Exchange, names: readonly string[]): string[] {
  const { query } = exchange;
  const count = readCount(query.get("n"));
  const last = query.get("last");
  const at = last === null ? 0 : names.findIndex((name) => comesAfter(name, last));
  const rest = at === -1 ? [] : names.slice(at);
  const shown = rest.slice(0, count);
  const end = shown.at(-1);
  if (rest.length > shown.length && end !== undefined) linkToNext(exchange, { n: String(count), last: end });
  return shown;
}

const comesAfter = (name: string, last: string): boolean => {
  const [a, b] = [name.toLowerCase(), last.toLowerCase()];
  return a === b ? name > last : a > b;
};

function readCount(text: string | null): number {
  if (text === null) return mostNames;
  if (/^\d{1,9}$/.test(text)) return Math.min(Number(text), mostNames);
  throw refusal("UNSUPPORTED", 400, `n is "${text.slice(0, 100)}" and no number`);
}

function linkToNext({ request, query, reply }: Exchange, members: Readonly<Record<string, string>>): void {
  const next = new URLSearchParams(query);
  for (const [name, value] of Object.entries(members)) next.set(name, value);
  reply.header("link", `<${request.url.split("?")[0]}?${next}>; rel="next"`);
}

function requireGet({ request }: Exchange): void {
  if (request.method === "GET" || request.method === "HEAD") return;
  throw refusal("UNSUPPORTED", 405, `${request.method} is not for lists`);
}
