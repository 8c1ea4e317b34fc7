import { type ErrorCode, errorTable, type UniError } from "./errors.ts";

/** An error as it crosses the unix socket: `data` of a JSON-RPC error, payload of an error frame. */
export interface ErrorBody {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string;
  readonly details?: unknown;
}

export function toErrorBody(error: UniError): ErrorBody {
  return {
    code: error.code,
    message: error.message,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  };
}

/** Reads an ErrorBody that came over a wire; undefined when it is none. */
export function readErrorBody(value: unknown): ErrorBody | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { code, message, hint, details } = value as Record<string, unknown>;
  if (typeof code !== "string" || !Object.hasOwn(errorTable, code) || typeof message !== "string")
    return undefined;
  return {
    code: code as ErrorCode,
    message,
    ...(typeof hint === "string" ? { hint } : {}),
    ...(details === undefined ? {} : { details }),
  };
}
