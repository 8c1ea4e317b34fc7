import { readErrorBody } from "@uni/contract/error-body";
import { UniError } from "@uni/contract/errors";

/** A UniError from an ErrorBody that came over the wire; one with a shape or code unknown here becomes `internal`. Details become its cause. */
export function errorFromBody(body: unknown, attempted: string): UniError {
  const known = readErrorBody(body);
  if (known !== undefined) {
    const { code, message, hint, details } = known;
    return new UniError(code, message, {
      ...(hint === undefined ? {} : { hint }),
      ...(details === undefined ? {} : { cause: details }),
    });
  }
  const message = (body as { message?: unknown } | null | undefined)?.message;
  return new UniError("internal", typeof message === "string" ? message : attempted, { cause: body });
}

/** A UniError from the `error` member of a JSON-RPC reply. */
export function errorFromReply(error: unknown, method: string): UniError {
  const { code, message, data } = (error ?? {}) as { code?: unknown; message?: unknown; data?: unknown };
  if (code === -32601) {
    return new UniError("not_supported", `calling ${method}: the daemon does not know this method`, {
      hint: "The daemon is of another version than this client: restart unid from the same one.",
    });
  }
  if (data !== undefined) return errorFromBody(data, `calling ${method} failed`);
  const text = typeof message === "string" ? message : "no reason given";
  return new UniError(code === -32602 ? "invalid_value" : "internal", `calling ${method}: ${text}`);
}
