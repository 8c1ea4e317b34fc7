/** From raw query and body to an answer: the one way in for HTTP and for JSON-RPC. */
import { UniError } from "@uni/contract/errors";
import { type Operation, type OperationId, operations } from "@uni/contract/operations";
import type { TSchema } from "typebox";
import type { Call, Handler } from "./call.ts";
import type { Answer } from "./outcome.ts";
import { validate } from "./validate.ts";

export type Handlers = Readonly<Record<OperationId, Handler>>;

export async function dispatch(handlers: Handlers, id: OperationId, call: Call): Promise<Answer> {
  const operation: Operation = operations[id];
  return handlers[id]({ ...call, body: readBody(operation, call.body) });
}

function readBody(operation: Operation, given: unknown): unknown {
  if (given === undefined || (given === null && !operation.bodyRequired)) {
    if (operation.bodyRequired) throw new UniError("malformed", "The request needs a JSON body");
    return undefined;
  }
  if (operation.body === undefined) throw new UniError("malformed", "The request takes no body");
  return validate(operation.body, withoutMetro(asList(operation.body, given)), "body");
}

/** A bulk call with a single item may leave the list out. */
function asList(schema: TSchema, given: unknown): unknown {
  const wantsList = (schema as { type?: string }).type === "array";
  return wantsList && typeof given === "object" && given !== null && !Array.isArray(given) ? [given] : given;
}

/** `metro` is a routing hint for a global control plane; a node has nothing to route. */
const withoutMetro = (given: unknown): unknown =>
  Array.isArray(given) ? given.map(dropMetro) : dropMetro(given);

function dropMetro(item: unknown): unknown {
  if (typeof item !== "object" || item === null || !("metro" in item)) return item;
  const { metro: _, ...rest } = item;
  return rest;
}
