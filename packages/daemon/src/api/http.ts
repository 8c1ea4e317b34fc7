/**
 * The REST listener. Routes come from the operations table; what a route does is in handlers.ts. Every call needs a
 * bearer token but those marked public; a wrong token is refused even there.
 */

import { type IncomingMessage, STATUS_CODES } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { toUniError, UniError } from "@uni/contract/errors";
import type { AccountId } from "@uni/contract/ids";
import { limits } from "@uni/contract/limits";
import { openApiDocument } from "@uni/contract/openapi";
import { type Operation, type OperationId, operations, plannedRoutes } from "@uni/contract/operations";
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { type Clock, systemClock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { Connections } from "./connections.ts";
import { dispatch, type Handlers } from "./dispatch.ts";
import { createHandlers } from "./handlers.ts";
import { fromFastify } from "./http-errors.ts";
import { metricsPage } from "./instances-metrics.ts";
import { parseJson } from "./json-body.ts";
import { envelopeOf, refusal } from "./outcome.ts";
import type { ApiDependencies, Authenticate } from "./port.ts";
import { prometheusContentType } from "./prometheus.ts";
import { readQuery } from "./query.ts";

export interface HttpOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly log: Log;
  readonly clock?: Clock;
  /**
   * What else is served here, each with rules of its own: routes that say `guard: "own"`. They say whose connections they trust:
   * those that they have seen a valid token on.
   */
  readonly plugins?: readonly ((app: FastifyInstance, trust: (socket: Socket) => void) => void)[];
}

export interface HttpListener {
  /** host:port */
  readonly address: string;
  close(): Promise<void>;
}

/** A client must have sent its request to the API in this time; how long the answer takes is another matter. */
const receiveMs = { headers: 15_000, request: 60_000, checkEvery: 5_000, keepAlive: 75_000 };
const maxHeaderBytes = 32 << 10;
const maxConnections = 1_024;

declare module "fastify" {
  interface FastifyRequest {
    account: AccountId | undefined;
    startedUs: number;
  }
  interface FastifyContextConfig {
    public?: boolean;
    /** Who may call it, and how long its body may take, is its own affair. */
    guard?: "own";
  }
}

export async function startHttp(dependencies: ApiDependencies, options: HttpOptions): Promise<HttpListener> {
  const app = createApp(dependencies, options);
  try {
    await app.listen({ host: options.host, port: options.port });
  } catch (error) {
    await app.close();
    throw listenError(error as NodeJS.ErrnoException, `${options.host}:${options.port}`);
  }
  const { address, family, port } = app.server.address() as AddressInfo;
  const host = family === "IPv6" ? `[${address}]` : address;
  return { address: `${host}:${port}`, close: () => app.close() };
}

function listenError(error: NodeJS.ErrnoException, address: string): UniError {
  const used = error.code === "EADDRINUSE";
  const message = `listen on ${address}: ${used ? "another program listens there" : error.message}`;
  if (!used) return new UniError("failed", message, { cause: error });
  return new UniError("port_in_use", message, { hint: "Choose another one with --listen.", cause: error });
}

function createApp(
  dependencies: ApiDependencies,
  { log, clock = systemClock, plugins = [] }: HttpOptions,
): FastifyInstance {
  const app = Fastify({
    logger: false,
    bodyLimit: limits.bodyBytes,
    // Not of Node's: it would cut a large upload that moves on well.
    requestTimeout: 0,
    keepAliveTimeout: receiveMs.keepAlive,
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    http: {
      maxHeaderSize: maxHeaderBytes,
      headersTimeout: receiveMs.headers,
      connectionsCheckingInterval: receiveMs.checkEvery,
    },
    routerOptions: { maxParamLength: limits.nameLength },
    frameworkErrors: (error, _request, reply) => refuse(reply, fromFastify(error), 0),
    clientErrorHandler: (error, socket) => refuseBytes(error, socket),
  }) as unknown as FastifyInstance;
  const connections = new Connections(maxConnections);
  connections.watch(app.server);
  const trust = (socket: Socket) => connections.trust(socket);
  acceptJsonBodies(app);
  guard(app, { authenticate: dependencies.authenticate, trust, clock });
  const elapsed = (request: FastifyRequest) => Math.max(0, clock.monotonicUs() - request.startedUs);

  app.setErrorHandler((error, request, reply) => {
    const failure = error instanceof UniError ? error : fromFastify(error as never);
    if (failure.code === "internal") log.error({ err: error, path: request.url }, "a request failed");
    return refuse(reply, failure, elapsed(request));
  });
  app.setNotFoundHandler((request, reply) => {
    const what = `${request.method} ${request.url.split("?")[0]}`;
    return refuse(reply, new UniError("no_such_endpoint", `No such endpoint: ${what}`), elapsed(request));
  });

  const handlers = createHandlers(dependencies);
  for (const [id, operation] of Object.entries(operations) as [OperationId, Operation][]) {
    app.route({
      method: [operation.method, ...(operation.olderMethod === undefined ? [] : [operation.olderMethod])],
      url: fastifyPath(operation.path),
      config: { public: operation.public ?? false },
      handler: (request, reply) => serve(handlers, id, { request, reply, log, elapsed }),
    });
  }
  for (const { method, path, feature } of plannedRoutes) {
    const refuseIt = () => {
      throw new UniError("not_supported", `${feature}: not supported yet`);
    };
    app.route({ method, url: fastifyPath(path), handler: refuseIt });
  }
  app.get("/metrics", async (request, reply) =>
    reply.type(prometheusContentType).send(await metricsPage(dependencies, request.account as AccountId)),
  );
  for (const plugin of plugins) app.register(async (scope) => plugin(scope, trust));
  const document = JSON.stringify(openApiDocument());
  app.get("/v1/openapi.json", { config: { public: true } }, (_request, reply) =>
    sendJson(reply, 200, document),
  );
  return app;
}

interface Exchange {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly log: Log;
  readonly elapsed: (request: FastifyRequest) => number;
}

async function serve(handlers: Handlers, id: OperationId, { request, reply, log, elapsed }: Exchange) {
  const operation: Operation = operations[id];
  const gone = new AbortController();
  reply.raw.once("close", () => {
    if (!reply.raw.writableFinished) gone.abort(new UniError("unreachable", "The client went away"));
  });
  const answer = await dispatch(handlers, id, {
    account: request.account ?? ("" as AccountId),
    authenticated: request.account !== undefined,
    ...(request.params as { uuid?: string; name?: string }),
    query: readQuery(operation.query, request.query as Record<string, unknown>),
    body: request.body,
    wantsText: !(request.headers.accept ?? "").includes("application/json"),
    signal: gone.signal,
    log,
  });
  if (answer.kind === "text") return reply.type(answer.contentType).send(answer.text);
  return sendJson(reply, 200, JSON.stringify(envelopeOf(answer, operation.dataKey, elapsed(request))));
}

/** GET and DELETE may carry a body; any content type is read as JSON, for some clients name none. */
function acceptJsonBodies(app: FastifyInstance): void {
  app.addHttpMethod("GET", { hasBody: true, overrideExisting: true });
  app.addHttpMethod("DELETE", { hasBody: true, overrideExisting: true });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "string" }, (_request, body, done) => {
    try {
      done(null, parseJson(body as string));
    } catch (error) {
      done(toUniError(error, "read the request body"));
    }
  });
}

/** Before the body is read: a stranger's bytes are not parsed. */
function guard(
  app: FastifyInstance,
  {
    authenticate,
    trust,
    clock,
  }: { authenticate: Authenticate; trust: (socket: Socket) => void; clock: Clock },
): void {
  app.decorateRequest("account", undefined);
  app.decorateRequest("startedUs", 0);
  app.addHook("onRequest", async (request, reply) => {
    if (request.routeOptions.config.guard === "own") return;
    request.startedUs = clock.monotonicUs();
    endLate(request.raw, clock);
    const header = request.headers.authorization;
    if (header === undefined && request.routeOptions.config.public) return;
    const token = /^Bearer +(\S+)$/i.exec(header ?? "")?.[1];
    request.account = token === undefined ? undefined : authenticate(token);
    if (request.account !== undefined) return trust(request.socket);
    reply.header("www-authenticate", "Bearer");
    throw new UniError(
      "unauthorized",
      header === undefined ? "A bearer token is needed" : "The token is not valid",
      {
        hint: "Send 'Authorization: Bearer <token>' (uni: --token or UNI_TOKEN); the first token is in the daemon's data directory, file admin-token.",
      },
    );
  });
}

function endLate(message: IncomingMessage, clock: Clock): void {
  const { headers, socket } = message;
  if (Number(headers["content-length"] ?? 0) === 0 && headers["transfer-encoding"] === undefined) return;
  const late = new UniError("timed_out", `The request did not arrive within ${receiveMs.request / 1000} s`);
  const cancel = clock.after(receiveMs.request, () => refuseSocket(late, socket));
  message.once("end", cancel);
  message.once("close", cancel);
}

function refuse(reply: FastifyReply, error: UniError, opTimeUs: number) {
  const { status, envelope } = refusal(error, opTimeUs);
  return sendJson(reply, status, JSON.stringify(envelope));
}

function sendJson(reply: FastifyReply, status: number, text: string) {
  return reply.code(status).type("application/json; charset=utf-8").send(text);
}

/** Bytes that are no HTTP, or headers that are too large or too slow: there is no request to answer to. */
function refuseBytes(error: Error & { code?: string }, socket: Socket): void {
  if (!socket.writable || error.code === "ECONNRESET") return void socket.destroy();
  refuseSocket(new UniError("malformed", "The request is no valid HTTP"), socket);
}

function refuseSocket(error: UniError, socket: Socket): void {
  const { status, envelope } = refusal(error, 0);
  const body = JSON.stringify(envelope);
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n`;
  socket.end(head + body);
  socket.destroySoon();
}

const fastifyPath = (path: string) => path.replaceAll(/\{(\w+)\}/g, ":$1");
