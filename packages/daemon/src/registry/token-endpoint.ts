/** The token endpoint: GET with a user name and password, or OAuth 2's form. Grants what is asked for and the account may. */
import type { AccountId } from "@uni/contract/ids";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Access, Action } from "./access.ts";
import { readBody } from "./bodies.ts";
import type { RegistryDependencies } from "./port.ts";
import { Refusal, refusal } from "./refusals.ts";
import { readName } from "./routes.ts";
import { type Grant, lifetimeS, type Tokens } from "./tokens.ts";

export interface TokenEndpoint extends Pick<RegistryDependencies, "authenticate" | "clock"> {
  readonly access: Access;
  readonly tokens: Tokens;
}

const maxFormBytes = 16 << 10;
const maxScopes = 64;
const actions: readonly Action[] = ["pull", "push", "delete"];

interface Login {
  readonly account: AccountId;
  readonly token: string;
}

export async function serveToken(
  endpoint: TokenEndpoint,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  switch (request.method) {
    case "GET": {
      const query = new URLSearchParams(request.url.split("?")[1] ?? "");
      const login = endpoint.access.basic(request.headers.authorization ?? "");
      return answer(endpoint, reply, {
        login,
        scopes: query.getAll("scope"),
        offline: query.get("offline_token") === "true",
      });
    }
    case "POST": {
      const form = new URLSearchParams((await readBody(request.raw, maxFormBytes, "a form")).toString());
      return answer(endpoint, reply, {
        login: loginOf(endpoint, form),
        scopes: form.getAll("scope"),
        offline: form.get("access_type") === "offline" || form.get("grant_type") === "refresh_token",
      });
    }
    default:
      throw refusal("UNSUPPORTED", 405, `${request.method} is not for tokens`);
  }
}

function loginOf({ authenticate, tokens }: TokenEndpoint, form: URLSearchParams): Login | undefined {
  const grant = form.get("grant_type");
  if (grant !== "password" && grant !== "refresh_token") {
    throw refusal("UNSUPPORTED", 400, "the grant types are password and refresh_token");
  }
  const token = grant === "password" ? form.get("password") : tokens.unseal(form.get("refresh_token") ?? "");
  const account = typeof token === "string" ? authenticate(token) : undefined;
  return account === undefined || typeof token !== "string" ? undefined : { account, token };
}

function answer(
  { access, tokens, clock }: TokenEndpoint,
  reply: FastifyReply,
  {
    login,
    scopes,
    offline,
  }: { readonly login: Login | undefined; readonly scopes: readonly string[]; readonly offline: boolean },
): FastifyReply {
  if (login === undefined) {
    throw new Refusal("UNAUTHORIZED", 401, "get a token: the user name and password are not valid", {
      hint: "Any user name will do; the password is a token of this daemon.",
      headers: { "www-authenticate": 'Basic realm="uni"' },
    });
  }
  const wanted = scopes.flatMap((scope) => scope.split(" ")).filter((scope) => scope !== "");
  if (wanted.length > maxScopes) throw refusal("DENIED", 400, `a token has at most ${maxScopes} scopes`);
  const grants = wanted.flatMap((scope) => grantOf(scope, (name) => access.owns(login.account, name)));
  const token = tokens.sign(login.account, grants);
  return reply.header("cache-control", "no-store").send({
    token,
    access_token: token,
    expires_in: lifetimeS,
    issued_at: new Date(clock.now()).toISOString(),
    ...(offline ? { refresh_token: tokens.seal(login.token) } : {}),
  });
}

/** What the account may not is left out, as is what is no scope of ours: the request that needs it says why it fails. */
function grantOf(scope: string, owns: (repository: string) => boolean): Grant[] {
  const match = /^repository:([^:]+):([a-z*,]+)$/.exec(scope);
  if (match === null) return [];
  try {
    const repository = readName(match[1] ?? "");
    const asked = new Set((match[2] ?? "").split(","));
    const granted = actions.filter((action) => asked.has(action) || asked.has("*"));
    return owns(repository) && granted.length > 0 ? [{ repository, actions: granted }] : [];
  } catch {
    return [];
  }
}
