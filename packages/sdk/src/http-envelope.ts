import type { Envelope } from "@uni/contract/envelope";
import { type ErrorCode, errorTable, UniError } from "@uni/contract/errors";
import type { CallOptions } from "./client.ts";

export interface HttpApi {
  readonly url: string;
  readonly token: string | undefined;
}

export interface HttpRequest {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly body?: unknown;
}

const defaultTimeoutMs = 120_000;

function codeForStatus(status: number): ErrorCode {
  if (status === 401) return "unauthorized";
  if (status === 403) return "not_allowed";
  if (status === 404) return "not_found";
  return status >= 500 ? "internal" : "malformed";
}

interface Refusal {
  readonly status?: unknown;
  readonly message?: string;
  readonly code?: string;
  readonly hint?: string;
}

function errorFrom(refusal: Refusal, httpStatus: number, attempted: string): UniError {
  const known = refusal.code !== undefined && Object.hasOwn(errorTable, refusal.code);
  const code = known ? (refusal.code as ErrorCode) : codeForStatus(httpStatus);
  const hint =
    refusal.hint ??
    (code === "unauthorized" ? "Give --token or UNI_TOKEN; unid wrote one to its data directory." : "");
  return new UniError(code, refusal.message ?? attempted, hint === "" ? {} : { hint });
}

/** One request; any answer that is an envelope comes back, refusals included. */
export async function sendHttp(
  { url, token }: HttpApi,
  { method, path, body }: HttpRequest,
  { signal, timeoutMs = defaultTimeoutMs }: CallOptions = {},
): Promise<{ readonly httpStatus: number; readonly envelope: Envelope }> {
  const deadline = timeoutMs === Infinity ? undefined : AbortSignal.timeout(timeoutMs);
  const signals = [signal, deadline].filter((one) => one !== undefined);
  let response: Response;
  let text: string;
  try {
    response = await fetch(url + path, {
      method,
      redirect: "error",
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signals.length === 0 ? {} : { signal: AbortSignal.any(signals) }),
    });
    text = await response.text();
  } catch (cause) {
    signal?.throwIfAborted();
    if (deadline?.aborted)
      throw new UniError("timed_out", `asking ${url}${path}: no answer in time`, { cause });
    const inner = (cause as Error).cause;
    const reason = inner instanceof Error && inner.message !== "" ? inner.message : (cause as Error).message;
    throw new UniError("unreachable", `asking ${url}: ${reason}`, {
      hint: "See whether unid listens there (unid --listen), or leave --host and UNI_HOST out to use its socket.",
      cause,
    });
  }
  try {
    return { httpStatus: response.status, envelope: JSON.parse(text) as Envelope };
  } catch (cause) {
    const message = `asking ${url}${path}: the answer (status ${response.status}) is not JSON`;
    throw new UniError(response.ok ? "internal" : codeForStatus(response.status), message, { cause });
  }
}

/** The items under `key`; a refused request, and with it a refused single item, is thrown. */
export async function sendForItems<Item>(
  api: HttpApi,
  request: HttpRequest,
  key: string,
  options?: CallOptions,
): Promise<readonly Item[]> {
  const { httpStatus, envelope } = await sendHttp(api, request, options);
  const attempted = `${request.method} ${request.path} failed with status ${httpStatus}`;
  const items = (envelope.data as Record<string, readonly Item[]> | undefined)?.[key] ?? [];
  const refused = items.find((item) => (item as Refusal).status === "error");
  if (refused !== undefined) throw errorFrom(refused as Refusal, httpStatus, attempted);
  if (httpStatus >= 400) {
    throw errorFrom(envelope.errors?.[0] ?? { message: envelope.message }, httpStatus, attempted);
  }
  return items;
}
