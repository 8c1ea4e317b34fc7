/**
 * The registry on the REST listener: the OCI distribution specification, version 1.1, below /v2. What is pushed is an image of this
 * machine; see images/repositories/port.ts.
 */
import type { Socket } from "node:net";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { Access, type Action } from "./access.ts";
import { serveBlob } from "./blobs.ts";
import { lengthOf } from "./bodies.ts";
import { type Exchange, queryOf } from "./exchange.ts";
import { serveCatalog, serveReferrers, serveTags } from "./lists.ts";
import { serveManifest } from "./manifests.ts";
import type { RegistryDependencies } from "./port.ts";
import { type Refusal, type Subject, toRefusal } from "./refusals.ts";
import { type Route, readRoute } from "./routes.ts";
import { serveToken } from "./token-endpoint.ts";
import { Tokens } from "./tokens.ts";
import { beginUpload, serveUpload } from "./uploads.ts";

/** What is left of the body of a refused request is read and forgotten, or the connection ends. */
const maxForgottenBytes = 1 << 20;

/**
 * To be registered in a scope of its own: bodies are not read before their handler does. `trust` is told of connections that
 * a visitor was known on.
 */
export function registry(
  deps: RegistryDependencies,
): (app: FastifyInstance, trust: (socket: Socket) => void) => void {
  const tokens = new Tokens(deps.key, deps.clock);
  const access = new Access(deps, tokens);
  const endpoint = { ...deps, access, tokens };

  const serve = async (
    request: FastifyRequest,
    reply: FastifyReply,
    trust: (socket: Socket) => void,
  ): Promise<FastifyReply> => {
    reply.header("docker-distribution-api-version", "registry/2.0");
    let subject: Subject = "blob";
    try {
      const route = readRoute(request.url);
      subject = subjectOf(route);
      if (route.kind === "token") return await serveToken(endpoint, request, reply);
      const action = actionOf(route, request.method);
      const wanted = "repository" in route ? { repository: route.repository, action } : undefined;
      const visitor = access.identify(request, wanted);
      trust(request.socket);
      if (wanted !== undefined) access.require(request, visitor, wanted.repository, action);
      const repositories = deps.repositoriesOf(visitor.account);
      const exchange = { deps, access, visitor, repositories, request, reply, query: queryOf(request) };
      return await dispatch(exchange, route);
    } catch (error) {
      return refuse(request, reply, toRefusal(error, subject));
    }
  };

  function refuse(request: FastifyRequest, reply: FastifyReply, error: Refusal): FastifyReply {
    if (error.code === "UNKNOWN") {
      deps.log.error({ err: error, path: request.url.split("?")[0] }, "a request to the registry failed");
    }
    const left = lengthOf(request.raw) ?? (request.headers["transfer-encoding"] === undefined ? 0 : Infinity);
    if (!request.raw.complete && left > maxForgottenBytes) reply.header("connection", "close");
    const { code, message, hint } = error;
    return reply
      .code(error.status)
      .headers(error.headers)
      .removeHeader("content-length")
      .type("application/json")
      .send({ errors: [{ code, message, ...(hint === undefined ? {} : { detail: hint }) }] });
  }

  return (app, trust) => {
    app.removeAllContentTypeParsers();
    app.addContentTypeParser("*", (_request, _body, done) => done(null));
    for (const url of ["/v2", "/v2/*"]) {
      app.route({
        method: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
        url,
        config: { guard: "own" },
        handler: (request, reply) => serve(request, reply, trust),
      });
    }
  };
}

async function dispatch(exchange: Exchange, route: Exclude<Route, { kind: "token" }>): Promise<FastifyReply> {
  switch (route.kind) {
    case "base":
      return exchange.reply.send({});
    case "catalog":
      return await serveCatalog(exchange);
    case "tags":
      return await serveTags(exchange, route.repository);
    case "referrers":
      return await serveReferrers(exchange, route);
    case "manifest":
      return await serveManifest(exchange, route);
    case "blob":
      return await serveBlob(exchange, route);
    case "uploads":
      return await beginUpload(exchange, route.repository);
    case "upload":
      return await serveUpload(exchange, route);
    default:
      return route satisfies never;
  }
}

function subjectOf({ kind }: Route): Subject {
  if (kind === "manifest") return "manifest";
  return kind === "upload" || kind === "uploads" ? "upload" : "blob";
}

function actionOf({ kind }: Route, method: string): Action {
  if (kind === "upload" || kind === "uploads") return "push";
  if (method === "DELETE") return "delete";
  return method === "GET" || method === "HEAD" ? "pull" : "push";
}
