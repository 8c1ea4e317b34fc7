/**
 * One line of JSON-RPC 2.0 to its outcome; nothing here knows of sockets. Method names are those of rpc-methods.ts and
 * the operation ids, whose params hold the members of path and query, and `body`.
 */
import { toErrorBody } from "@uni/contract/error-body";
import { toUniError, UniError } from "@uni/contract/errors";
import { type Operation, type OperationId, operations } from "@uni/contract/operations";
import { type RpcMethodName, rpcErrorCodes, rpcMethods } from "@uni/contract/rpc-methods";
import type { Clock } from "../base/clock.ts";
import { dispatch, type Handlers } from "./dispatch.ts";
import { parseJson } from "./json-body.ts";
import { envelopeOf } from "./outcome.ts";
import type { RpcAnswer, RpcContext } from "./rpc-answer.ts";
import { validate } from "./validate.ts";

export type RpcImplementations = {
  readonly [M in RpcMethodName]: (params: never, context: RpcContext) => Promise<RpcAnswer> | RpcAnswer;
};

export interface RpcServices {
  readonly methods: RpcImplementations;
  readonly handlers: Handlers;
  readonly clock: Clock;
}

export type RpcOutcome =
  /** A notification: nothing is answered. */
  | { readonly kind: "none"; readonly after?: () => void }
  | { readonly kind: "reply"; readonly line: string; readonly after?: () => void }
  | {
      readonly kind: "stream";
      readonly line: string;
      readonly stream: Exclude<RpcAnswer, { kind: "value" }>;
    };

type Id = string | number | null;

export async function handleRpc(
  services: RpcServices,
  line: string,
  context: RpcContext,
): Promise<RpcOutcome> {
  let given: unknown;
  try {
    given = parseJson(line);
  } catch (error) {
    return failure(null, rpcErrorCodes.parseError, toUniError(error, "parse a request"));
  }
  const request = readRequest(given);
  if (request instanceof UniError) return failure(idOf(given) ?? null, rpcErrorCodes.invalidRequest, request);
  const { id, method, params } = request;
  try {
    const answer = await call(services, method, params, context);
    if (answer.kind === "value") {
      const { value, after } = answer;
      return id === undefined ? { kind: "none", after } : { ...success(id, value), after };
    }
    if (id === undefined)
      return failure(null, rpcErrorCodes.invalidRequest, new UniError("malformed", `${method} needs an id`));
    return { kind: "stream", line: replyLine({ id, result: { stream: true } }), stream: answer };
  } catch (error) {
    if (id === undefined) return { kind: "none" };
    return rejected(id, method, error, context);
  }
}

interface Request {
  /** Undefined: a notification. */
  readonly id: Id | undefined;
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
}

/** The params were refused before anything was done. */
class ParamsError extends Error {
  readonly reason: UniError;

  constructor(reason: UniError) {
    super(reason.message);
    this.reason = reason;
  }
}

class UnknownMethod extends Error {}

async function call(
  services: RpcServices,
  method: string,
  params: Readonly<Record<string, unknown>>,
  context: RpcContext,
): Promise<RpcAnswer> {
  if (Object.hasOwn(rpcMethods, method)) {
    const name = method as RpcMethodName;
    const checked = refuseParams(() => validate(rpcMethods[name].params, params, "params"));
    return services.methods[name](checked as never, context);
  }
  if (!Object.hasOwn(operations, method)) throw new UnknownMethod(method);
  return callOperation(services, method as OperationId, params, context);
}

async function callOperation(
  { handlers, clock }: RpcServices,
  id: OperationId,
  { body, ...params }: Readonly<Record<string, unknown>>,
  context: RpcContext,
): Promise<RpcAnswer> {
  const started = clock.monotonicUs();
  const operation: Operation = operations[id];
  const inPath = (["uuid", "name"] as const).filter((name) => operation.path.includes(`{${name}}`));
  const path = Object.fromEntries(
    inPath.map((name) => [name, refuseParams(() => readPathMember(name, params[name]))]),
  );
  const others = Object.entries(params).filter(([name]) => !Object.hasOwn(path, name));
  const query = refuseParams(() => validate(operation.query, Object.fromEntries(others), "params"));
  const answer = await dispatch(handlers, id, {
    ...context,
    authenticated: true,
    ...path,
    query,
    body,
    wantsText: false,
  });
  if (answer.kind === "text") return { kind: "value", value: answer.text };
  return { kind: "value", value: envelopeOf(answer, operation.dataKey, clock.monotonicUs() - started) };
}

function readPathMember(name: string, value: unknown): string {
  if (typeof value === "string") return value;
  throw new UniError("invalid_value", `Missing member '${name}'`);
}

function refuseParams<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new ParamsError(toUniError(error, "read the params"));
  }
}

function readRequest(given: unknown): Request | UniError {
  if (Array.isArray(given))
    return new UniError("malformed", "Batches are not taken: send one request per line");
  if (typeof given !== "object" || given === null)
    return new UniError("malformed", "A request must be an object");
  const { jsonrpc, method, params = {} } = given as Record<string, unknown>;
  if (jsonrpc !== "2.0") return new UniError("malformed", "Member 'jsonrpc' must be '2.0'");
  if (typeof method !== "string") return new UniError("malformed", "Member 'method' must be of type string");
  const id = "id" in given ? idOf(given) : undefined;
  if ("id" in given && id === undefined)
    return new UniError("malformed", "Member 'id' must be a string, a number or null");
  if (typeof params !== "object" || params === null || Array.isArray(params)) {
    return new UniError("malformed", "Member 'params' must be of type object");
  }
  return { id, method, params: params as Record<string, unknown> };
}

function idOf(given: unknown): Id | undefined {
  const id = typeof given === "object" && given !== null ? (given as { id?: unknown }).id : undefined;
  return typeof id === "string" || typeof id === "number" || id === null ? id : undefined;
}

function rejected(id: Id, method: string, error: unknown, { log }: RpcContext): RpcOutcome {
  if (error instanceof UnknownMethod) {
    return failure(
      id,
      rpcErrorCodes.methodNotFound,
      new UniError("no_such_endpoint", `No such method: ${method}`),
    );
  }
  if (error instanceof ParamsError) return failure(id, rpcErrorCodes.invalidParams, error.reason);
  const reason = toUniError(error, "Internal error");
  if (reason.code === "internal") log.error({ err: error, method }, "a request failed");
  return failure(id, rpcErrorCodes.failed, reason);
}

/** Said once, before the connection is closed: where the next request begins is not known any more. */
export function requestTooLong(): string {
  const error = new UniError("too_large", "A request line is too long", { hint: "At most 8 MiB are taken." });
  const members = { code: rpcErrorCodes.invalidRequest, message: error.message, data: toErrorBody(error) };
  return replyLine({ id: null, error: members });
}

const success = (id: Id, result: unknown) => ({
  kind: "reply" as const,
  line: replyLine({ id, result: result ?? null }),
});

function failure(id: Id, code: number, error: UniError): RpcOutcome {
  const { message } = error;
  return { kind: "reply", line: replyLine({ id, error: { code, message, data: toErrorBody(error) } }) };
}

const replyLine = (members: object) => `${JSON.stringify({ jsonrpc: "2.0", ...members })}\n`;
