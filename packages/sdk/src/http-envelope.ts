import type { Envelope } from "@uni/contract/envelope";
import { UniError } from "@uni/contract/errors";
import type { CallOptions } from "./client.ts";
import { envelopeItems } from "./envelope-items.ts";

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
    throw new UniError(response.ok ? "internal" : "unreachable", message, {
      hint: "See whether it is unid that listens there.",
      cause,
    });
  }
}

/** The items under `key`; a refusal is thrown. */
export async function sendForItems<Item>(
  api: HttpApi,
  request: HttpRequest,
  key: string,
  options?: CallOptions,
): Promise<readonly Item[]> {
  const { httpStatus, envelope } = await sendHttp(api, request, options);
  return envelopeItems(envelope, key, `${request.method} ${request.path}: status ${httpStatus}`, httpStatus);
}
