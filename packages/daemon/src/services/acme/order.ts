/** One order, from its beginning or from wherever an earlier attempt left it, to the certificate (RFC 8555, 7.4). */
import { UniError } from "@uni/contract/errors";
import type { Clock } from "../../base/clock.ts";
import { makeRequest } from "./certificate-request.ts";
import type { ChallengeType, Proof } from "./options.ts";
import { AcmeProblem, describe, type ProblemDocument } from "./problem.ts";
import { type AcmeAuthority, type Reply, readObject } from "./session.ts";

export interface OrderTask {
  readonly fqdn: string;
  readonly challenge: ChallengeType;
  /** Address of an order that was begun. */
  readonly begun: string | undefined;
  readonly session: AcmeAuthority;
  readonly clock: Clock;
  /** Written before anything follows from it. */
  readonly keepOrder: (url: string) => Promise<void>;
  /** The certificate's private key, the same one at each call until it is issued. */
  readonly key: () => Promise<string>;
  /** Resolves once the authority can find the proof; the answer says whether it was asked to look for it already. */
  readonly show: (proof: Proof, signal: AbortSignal) => Promise<{ readonly isAsked: boolean }>;
  readonly keepAsked: (proof: Proof) => Promise<void>;
  /** Takes it away again; never rejects. */
  readonly withdraw: (proof: Proof) => Promise<void>;
  readonly signal: AbortSignal;
}

interface Order {
  readonly status: string;
  readonly authorizations: readonly string[];
  readonly finalize: string;
  readonly certificate?: string;
  readonly error?: ProblemDocument;
}

interface Authorization {
  readonly status: string;
  readonly challenges: readonly Challenge[];
}

interface Challenge {
  readonly type: string;
  readonly status: string;
  readonly url: string;
  readonly token: string;
  readonly error?: ProblemDocument;
}

const firstPollMs = 500;
const longestPollMs = 15_000;

/** Returns the chain, PEM. */
export async function obtain(task: OrderTask): Promise<string> {
  const { fqdn, session, signal } = task;
  const attempted = `order a certificate for ${fqdn}`;
  const { url, order } = await openOrder(task, attempted);
  let { status } = order;
  if (status === "pending") {
    for (const authorization of order.authorizations) await prove(task, authorization);
    ({ status } = await settle<Order>(task, url, attempted, ["pending"]));
  }
  if (status === "ready") {
    const csr = await makeRequest(fqdn, await task.key());
    await session.post(order.finalize, { csr }, attempted, signal);
  }
  const {
    certificate,
    error,
    status: end,
  } = await settle<Order>(task, url, attempted, ["ready", "processing"]);
  if (end !== "valid" || typeof certificate !== "string") {
    throw new AcmeProblem(attempted, error ?? { detail: `the order is ${end}` });
  }
  return (await session.post(certificate, undefined, `fetch the certificate for ${fqdn}`, signal)).body;
}

/** One that was begun and can still succeed, or a new one. */
async function openOrder(
  { begun, session, fqdn, keepOrder, signal }: OrderTask,
  attempted: string,
): Promise<{ readonly url: string; readonly order: Order }> {
  if (begun !== undefined) {
    const reply = await session.post(begun, undefined, attempted, signal).catch(undefinedIfRefused);
    const order = reply === undefined ? undefined : readOrder(reply, attempted);
    if (order !== undefined && order.status !== "invalid") return { url: begun, order };
  }
  const reply = await session.newOrder(fqdn, signal);
  if (reply.location === undefined) throw new UniError("acme_failed", `${attempted}: it has no address`);
  await keepOrder(reply.location);
  return { url: reply.location, order: readOrder(reply, attempted) };
}

function undefinedIfRefused(error: unknown): undefined {
  if (error instanceof AcmeProblem && error.type !== "rateLimited") return undefined;
  throw error;
}

async function prove(task: OrderTask, url: string): Promise<void> {
  const { fqdn, session, signal, challenge: type } = task;
  const attempted = `prove to the certificate authority by ${type} that ${fqdn} leads here`;
  const { status, challenges } = readAuthorization(
    await session.post(url, undefined, attempted, signal),
    attempted,
  );
  if (status === "valid") return;
  const challenge = challenges.find((each) => each.type === type);
  if (challenge === undefined) {
    const offered = challenges.map((each) => String(each.type).slice(0, 30)).join(", ");
    throw new UniError("acme_failed", `${attempted}: it takes only ${offered || "nothing"}`);
  }
  const { token } = challenge;
  if (typeof token !== "string" || !/^[\w-]{1,256}$/.test(token)) {
    throw new UniError("acme_failed", `${attempted}: its token is not base64url`);
  }
  const proof = { type, fqdn, token, keyAuthorization: session.key.authorize(token), isAsked: false };
  const { isAsked } = await task.show(proof, signal);
  try {
    // Asked twice it may look twice, and the second look can be one too many: the proof is gone by then.
    if (challenge.status === "pending" && !isAsked) {
      await session.post(challenge.url, {}, attempted, signal);
      await task.keepAsked(proof);
    }
    const settled = await settle<Authorization>(task, url, attempted, ["pending"]);
    if (settled.status === "valid") return;
    const error = settled.challenges.find((each) => each.type === type)?.error;
    throw new UniError("acme_failed", `${attempted}: ${describe(error ?? { detail: settled.status })}`, {
      hint: reachableHint(type, fqdn),
    });
  } finally {
    await task.withdraw(proof);
  }
}

function reachableHint(type: ChallengeType, fqdn: string): string {
  switch (type) {
    case "http-01":
      return `http://${fqdn}/.well-known/acme-challenge/ must lead from the internet to port 80 of this node.`;
    case "tls-alpn-01":
      return `${fqdn} must lead from the internet to port 443 of this node, with nothing in between that ends TLS.`;
    case "dns-01":
      return `The DNS hook must not end before every name server of ${fqdn.replace(/^\*\./, "")} has the record.`;
    default:
      return type satisfies never;
  }
}

/** Reads until the status is none of `passing`. The caller's signal ends it. */
async function settle<Resource extends { readonly status: string }>(
  { session, clock, signal }: OrderTask,
  url: string,
  attempted: string,
  passing: readonly string[],
): Promise<Resource> {
  for (let delay = firstPollMs; ; delay = Math.min(delay * 1.5, longestPollMs)) {
    const reply = await session.post(url, undefined, attempted, signal);
    const resource = readObject<Resource>(reply.body, attempted);
    if (!passing.includes(resource.status)) return resource;
    await clock.sleep(Math.max(delay, reply.retryAfterMs ?? 0), signal);
  }
}

function readOrder({ body }: Reply, attempted: string): Order {
  const order = readObject<Partial<Order>>(body, attempted);
  const { status, authorizations, finalize } = order;
  if (typeof status === "string" && Array.isArray(authorizations) && typeof finalize === "string") {
    return order as Order;
  }
  throw new UniError("acme_failed", `${attempted}: the answer is no order`);
}

function readAuthorization({ body }: Reply, attempted: string): Authorization {
  const { status, challenges } = readObject<Partial<Authorization>>(body, attempted);
  if (typeof status === "string" && Array.isArray(challenges)) return { status, challenges };
  throw new UniError("acme_failed", `${attempted}: the answer is no authorization`);
}
