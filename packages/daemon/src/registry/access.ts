/**
 * Who may do what. A platform token is the password to any user name, or a bearer token, and may all that its account may; an
 * access token of the token flow may what it was got for. An account has the repositories below its own name.
 */
import type { AccountId } from "@uni/contract/ids";
import type { FastifyRequest } from "fastify";
import type { RegistryDependencies } from "./port.ts";
import { Refusal, refusal } from "./refusals.ts";
import type { Grant, Tokens } from "./tokens.ts";

export type Action = "pull" | "push" | "delete";

export interface Visitor {
  readonly account: AccountId;
  /** Undefined: all that the account may. */
  readonly grants: readonly Grant[] | undefined;
}

export const service = "uni";
const credentialsHint = "Log in with any user name and, as the password, a token of this daemon.";

export class Access {
  readonly #deps: RegistryDependencies;
  readonly #tokens: Tokens;

  constructor(deps: RegistryDependencies, tokens: Tokens) {
    this.#deps = deps;
    this.#tokens = tokens;
  }

  /** Else a challenge that tells the client where tokens are. */
  identify(
    request: FastifyRequest,
    wanted?: { readonly repository: string; readonly action: Action },
  ): Visitor {
    const header = request.headers.authorization;
    const visitor = header === undefined ? undefined : this.#read(header);
    if (visitor !== undefined) return visitor;
    const error = header === undefined ? undefined : "invalid_token";
    throw challenge(request, { wanted, error });
  }

  require(request: FastifyRequest, visitor: Visitor, repository: string, action: Action): void {
    if (!this.owns(visitor.account, repository)) {
      const namespace = this.#deps.namespaceOf(visitor.account);
      throw refusal(
        "DENIED",
        403,
        `${action} "${repository}": it is not yours`,
        `Yours are named ${namespace}/NAME.`,
      );
    }
    if (this.may(visitor, repository, action)) return;
    throw challenge(request, { wanted: { repository, action }, error: "insufficient_scope" });
  }

  may({ account, grants }: Visitor, repository: string, action: Action): boolean {
    if (!this.owns(account, repository)) return false;
    if (grants === undefined) return true;
    return grants.some((grant) => grant.repository === repository && grant.actions.includes(action));
  }

  owns(account: AccountId, repository: string): boolean {
    const namespace = this.#deps.namespaceOf(account);
    return namespace === undefined || repository.startsWith(`${namespace}/`);
  }

  /** The platform token that a `Basic` header carries, and whose it is. */
  basic(header: string): { readonly token: string; readonly account: AccountId } | undefined {
    const encoded = /^Basic +(\S+)$/i.exec(header)?.[1];
    if (encoded === undefined) return undefined;
    const text = Buffer.from(encoded, "base64").toString();
    const token = text.slice(text.indexOf(":") + 1);
    const account = this.#deps.authenticate(token);
    return account === undefined ? undefined : { token, account };
  }

  #read(header: string): Visitor | undefined {
    const bearer = /^Bearer +(\S+)$/i.exec(header)?.[1];
    if (bearer === undefined) {
      const account = this.basic(header)?.account;
      return account === undefined ? undefined : { account, grants: undefined };
    }
    const account = this.#deps.authenticate(bearer);
    return account === undefined ? this.#tokens.verify(bearer) : { account, grants: undefined };
  }
}

/** Scopes that a client asks a token for, to do this. */
const actionsFor: Record<Action, string> = { pull: "pull", push: "pull,push", delete: "delete" };

function challenge(
  request: FastifyRequest,
  {
    wanted,
    error,
  }: {
    readonly wanted?: { readonly repository: string; readonly action: Action } | undefined;
    readonly error: string | undefined;
  },
): Refusal {
  const parts = [`realm="${originOf(request)}/v2/token"`, `service="${service}"`];
  if (wanted !== undefined) {
    parts.push(`scope="repository:${wanted.repository}:${actionsFor[wanted.action]}"`);
  }
  if (error !== undefined) parts.push(`error="${error}"`);
  const reasons: Record<string, string> = {
    invalid_token: "the token or password is not valid",
    insufficient_scope: "the token was not got for this",
  };
  return new Refusal(
    "UNAUTHORIZED",
    401,
    error === undefined ? "a token is needed" : (reasons[error] ?? error),
    {
      hint: credentialsHint,
      headers: { "www-authenticate": `Bearer ${parts.join(",")}` },
    },
  );
}

/** As the client knows it: it is told to nobody else. Behind something that ends TLS, that says so. */
function originOf(request: FastifyRequest): string {
  const scheme = request.headers["x-forwarded-proto"] === "https" ? "https" : "http";
  const host = request.headers.host ?? "";
  const { localAddress, localPort } = request.socket;
  return `${scheme}://${/^[\w.:[\]-]+$/.test(host) ? host : `${localAddress}:${localPort}`}`;
}
