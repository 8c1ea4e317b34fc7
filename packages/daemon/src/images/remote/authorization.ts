/** What a registry wants to see before it serves: a password (RFC 7617), or a token that its token server gives for it. */
import { createHash } from "node:crypto";
import { UniError } from "@uni/contract/errors";
import type { Clock } from "../../base/clock.ts";
import { type Challenge, parseChallenges } from "./challenge.ts";
import { type Answer, bytesBody, type Outgoing } from "./exchange.ts";
import { plain } from "./failures.ts";

export interface Credentials {
  /** `<token>` says that the password is an identity token, as Docker's credential helpers have it. */
  readonly username: string;
  readonly password: string;
}

export interface AuthorizationOptions {
  readonly registry: string;
  readonly credentials: Credentials | undefined;
  /** `repository:team/web:pull` */
  readonly scopes: readonly string[];
  readonly clock: Clock;
  readonly tokens: Tokens;
  /** The registry itself speaks plain HTTP, and its token server may. */
  readonly isPlain: boolean;
  /** Sends a request to the token server. */
  readonly ask: (outgoing: Outgoing) => Promise<Answer>;
}

interface Token {
  readonly value: string;
  readonly expiresAt: number;
}

/** Tokens that are still good, by everything that they were given for. */
export class Tokens {
  readonly #kept = new Map<string, Token>();

  get(key: string, now: number): Token | undefined {
    const token = this.#kept.get(key);
    if (token !== undefined && token.expiresAt > now) return token;
    this.#kept.delete(key);
    return undefined;
  }

  keep(key: string, token: Token): void {
    this.#kept.delete(key);
    this.#kept.set(key, token);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > mostTokens && oldest !== undefined) this.#kept.delete(oldest);
  }

  drop(key: string): void {
    this.#kept.delete(key);
  }
}

const mostTokens = 256;
/** Tokens are renewed this long before they end: the request is still to be sent. */
const marginMs = 5_000;
const shortestLifeS = 60;
const longestLifeS = 86_400;
const longestToken = 64 * 1024;
const longestAnswer = 256 * 1024;
const identity = "<token>";

/** Of one repository. */
export class Authorization {
  readonly #options: AuthorizationOptions;
  #challenge: Challenge | undefined;
  #pending: Promise<string> | undefined;
  #used: string | undefined;

  constructor(options: AuthorizationOptions) {
    this.#options = options;
  }

  /** Undefined until the registry has asked for something. */
  async header(signal: AbortSignal): Promise<string | undefined> {
    const { clock, tokens, credentials } = this.#options;
    if (this.#challenge === undefined) return undefined;
    if (this.#challenge.scheme === "basic") return basic(credentials);
    const kept = tokens.get(this.#key(this.#challenge), clock.now());
    this.#used = kept?.value ?? (await this.#fetchOnce(this.#challenge, signal));
    return `Bearer ${this.#used}`;
  }

  /** Learns what is wanted from an answer that says 401; false if there is nothing that could be tried. */
  learn(answer: Answer, sent: string | undefined): boolean {
    const challenges = parseChallenges(answer.headers["www-authenticate"] ?? "");
    const challenge =
      challenges.find(({ scheme, parameters }) => scheme === "bearer" && parameters.has("realm")) ??
      challenges.find(({ scheme }) => scheme === "basic");
    if (challenge === undefined) return false;
    if (challenge.scheme === "basic") {
      this.#challenge = challenge;
      return this.#options.credentials !== undefined && sent !== basic(this.#options.credentials);
    }
    // Another request may have fetched a better one since.
    if (sent !== undefined && sent === `Bearer ${this.#used}` && this.#challenge !== undefined) {
      this.#options.tokens.drop(this.#key(this.#challenge));
    }
    this.#challenge = challenge;
    return true;
  }

  /** Requests side by side share one. */
  #fetchOnce(challenge: Challenge, signal: AbortSignal): Promise<string> {
    this.#pending ??= this.#fetch(challenge, signal).finally(() => {
      this.#pending = undefined;
    });
    return this.#pending;
  }

  async #fetch(challenge: Challenge, signal: AbortSignal): Promise<string> {
    const { registry, credentials, clock, tokens, ask } = this.#options;
    const attempted = `get a token for ${registry}`;
    const realm = this.#realm(challenge, attempted);
    const service = challenge.parameters.get("service");
    const scopes = this.#scopes(challenge);
    const form =
      credentials?.username === identity
        ? byIdentity(realm, service, scopes, credentials.password)
        : byPassword(realm, service, scopes, credentials);
    const answer = await ask({ ...form, signal });
    if (answer.status !== 200) {
      answer.discard();
      const refused = [400, 401, 403].includes(answer.status);
      throw new UniError(
        refused ? "registry_denied" : "registry_failed",
        `${attempted}: ${realm.host} answered ${answer.status}`,
        refused ? { hint: loginHint(registry, credentials) } : {},
      );
    }
    const token = readToken(await answer.read(longestAnswer), attempted, clock.now());
    tokens.keep(this.#key(challenge), token);
    return token.value;
  }

  #realm(challenge: Challenge, attempted: string): URL {
    const given = challenge.parameters.get("realm") ?? "";
    const realm = URL.parse(given);
    const isWeb = realm?.protocol === "https:" || realm?.protocol === "http:";
    if (realm === null || !isWeb || realm.username !== "") {
      throw new UniError("registry_failed", `${attempted}: its token server '${plain(given)}' is no address`);
    }
    if (realm.protocol === "https:" || this.#options.isPlain) return realm;
    throw new UniError(
      "registry_failed",
      `${attempted}: its token server at ${realm.host} wants passwords over plain HTTP`,
    );
  }

  /** Ours, and what the registry names beside them; its form of ours gives way. */
  #scopes(challenge: Challenge): readonly string[] {
    const ours = this.#options.scopes;
    const theirs = (challenge.parameters.get("scope") ?? "").split(" ").filter((scope) => scope !== "");
    const resource = (scope: string): string => scope.slice(0, scope.lastIndexOf(":"));
    const others = theirs.filter((scope) => !ours.some((own) => resource(own) === resource(scope)));
    return [...ours, ...others].slice(0, 8);
  }

  #key(challenge: Challenge): string {
    const { credentials } = this.#options;
    const { parameters } = challenge;
    const parts = [parameters.get("realm"), parameters.get("service"), ...this.#scopes(challenge)];
    const secret = `${credentials?.username ?? ""}\n${credentials?.password ?? ""}`;
    return createHash("sha256")
      .update(`${parts.join("\n")}\n\n${secret}`)
      .digest("hex");
  }
}

export const loginHint = (registry: string, credentials: Credentials | undefined): string =>
  credentials === undefined
    ? `It may be private: uni login ${registry}.`
    : `The user ${plain(credentials.username)} may not, or the password is wrong: uni login ${registry}.`;

const basic = (credentials: Credentials | undefined): string | undefined =>
  credentials === undefined
    ? undefined
    : `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString("base64")}`;

function byPassword(
  realm: URL,
  service: string | undefined,
  scopes: readonly string[],
  credentials: Credentials | undefined,
): Omit<Outgoing, "signal"> {
  const url = new URL(realm);
  if (service !== undefined) url.searchParams.set("service", service);
  for (const scope of scopes) url.searchParams.append("scope", scope);
  const authorization = basic(credentials);
  return { method: "GET", url, headers: authorization === undefined ? {} : { authorization } };
}

/** The OAuth form of the token server, which takes identity tokens. */
function byIdentity(
  realm: URL,
  service: string | undefined,
  scopes: readonly string[],
  token: string,
): Omit<Outgoing, "signal"> {
  const form = new URLSearchParams({
    grant_type: "refresh_token",
    client_id: "uni",
    refresh_token: token,
    scope: scopes.join(" "),
    ...(service === undefined ? {} : { service }),
  });
  return {
    method: "POST",
    url: realm,
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: bytesBody(Buffer.from(form.toString())),
  };
}

function readToken(bytes: Buffer, attempted: string, now: number): Token {
  const { token, access_token, expires_in } = parse(bytes, attempted);
  const value = [token, access_token].find((each) => typeof each === "string" && each !== "");
  // Nothing else may be in a header's value.
  if (typeof value !== "string" || value.length > longestToken || !/^[\x21-\x7e]+$/.test(value)) {
    throw new UniError("registry_failed", `${attempted}: the token server's answer has no token`);
  }
  const given = typeof expires_in === "number" && expires_in > 0 ? expires_in : shortestLifeS;
  return { value, expiresAt: now + Math.min(given, longestLifeS) * 1000 - marginMs };
}

function parse(bytes: Buffer, attempted: string): Record<string, unknown> {
  try {
    return { ...(JSON.parse(bytes.toString("utf8")) as Record<string, unknown>) };
  } catch (error) {
    throw new UniError("registry_failed", `${attempted}: the token server's answer is not JSON`, {
      cause: error,
    });
  }
}
