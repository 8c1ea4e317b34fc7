/** One host that serves a repository: the protocol it speaks, what it wants to see, and requests to it. */
import { UniError } from "@uni/contract/errors";
import type { Address } from "./address.ts";
import { Authorization, type Credentials, type Tokens } from "./authorization.ts";
import type { Answer, Body, ExchangeContext, Outgoing } from "./exchange.ts";
import { networkFailure } from "./failures.ts";
import { findProtocol } from "./protocol.ts";
import { exchangeFollowing } from "./redirects.ts";

export interface EndpointOptions {
  readonly context: ExchangeContext;
  readonly address: Address;
  readonly credentials: Credentials | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly actions: "pull" | "pull,push";
  readonly tokens: Tokens;
  readonly attempted: string;
}

export interface EndpointRequest {
  readonly method: Outgoing["method"];
  /** Below the repository; or the whole address of an upload that the registry has named. */
  readonly path: string | URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Body | undefined;
  readonly signal: AbortSignal;
}

export class Endpoint {
  readonly address: Address;
  readonly #options: EndpointOptions;
  #origin: URL | undefined;
  #authorization: Authorization | undefined;

  constructor(options: EndpointOptions) {
    this.address = options.address;
    this.#options = options;
  }

  /** Any answer the registry has for it, after it was shown what it asked for. */
  async send(request: EndpointRequest): Promise<Answer> {
    const { context, address, attempted } = this.#options;
    try {
      this.#origin ??= await findProtocol(context, address, request.signal);
      const authorization = this.#authorize(this.#origin);
      const sent = await authorization.header(request.signal);
      const answer = await this.#sendAs(sent, request, this.#origin);
      const isAsked = answer.status === 401 && answer.url.origin === this.#origin.origin;
      if (!isAsked || !authorization.learn(answer, sent)) return answer;
      answer.discard();
      return await this.#sendAs(await authorization.header(request.signal), request, this.#origin);
    } catch (error) {
      request.signal.throwIfAborted();
      throw networkFailure(attempted, address.url.host, error);
    }
  }

  #sendAs(authorization: string | undefined, request: EndpointRequest, origin: URL): Promise<Answer> {
    const { context, address, headers } = this.#options;
    const { method, path, body, signal } = request;
    const url =
      typeof path === "string"
        ? new URL(`/v2/${address.repository === "" ? "" : `${address.repository}/`}${path}`, origin)
        : path;
    if (url.protocol === "http:" && origin.protocol === "https:") {
      throw new UniError("registry_failed", `ask ${url.host}: it leads from TLS to plain HTTP`);
    }
    const isOurs = url.origin === origin.origin;
    return exchangeFollowing(context, {
      method,
      url,
      body,
      signal,
      headers: {
        ...request.headers,
        ...(isOurs ? headers : {}),
        ...(isOurs && authorization !== undefined ? { authorization } : {}),
      },
    });
  }

  #authorize(origin: URL): Authorization {
    const { context, address, credentials, actions, tokens } = this.#options;
    this.#authorization ??= new Authorization({
      registry: address.registry,
      credentials,
      scopes: address.repository === "" ? [] : [`repository:${address.repository}:${actions}`],
      clock: context.clock,
      tokens,
      isPlain: origin.protocol === "http:",
      ask: (outgoing) => exchangeFollowing(context, outgoing),
    });
    return this.#authorization;
  }
}
