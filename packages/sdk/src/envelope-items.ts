import type { Envelope } from "@uni/contract/envelope";
import { type ErrorCode, errorTable, UniError } from "@uni/contract/errors";

interface Refusal {
  readonly status?: unknown;
  readonly message?: string;
  readonly code?: string;
  readonly hint?: string;
}

function codeForStatus(status: number): ErrorCode {
  if (status === 401) return "unauthorized";
  if (status === 403) return "not_allowed";
  if (status === 404) return "not_found";
  return status >= 500 ? "internal" : "malformed";
}

function errorFrom(refusal: Refusal, httpStatus: number, attempted: string): UniError {
  const known = refusal.code !== undefined && Object.hasOwn(errorTable, refusal.code);
  const code = known ? (refusal.code as ErrorCode) : codeForStatus(httpStatus);
  const fallback =
    code === "unauthorized" ? "Give --token or UNI_TOKEN; unid keeps one in its data directory." : undefined;
  const hint = refusal.hint ?? fallback;
  return new UniError(code, refusal.message ?? attempted, hint === undefined ? {} : { hint });
}

/** The items under `key`; a refused request, or a refused item of it, is thrown. */
export function envelopeItems<Item>(
  envelope: Envelope,
  key: string,
  attempted: string,
  httpStatus = 200,
): readonly Item[] {
  const items = (envelope.data as Record<string, readonly Item[]> | null | undefined)?.[key] ?? [];
  const refused = items.find((item) => (item as Refusal).status === "error");
  if (refused !== undefined) throw errorFrom(refused as Refusal, httpStatus, attempted);
  if (httpStatus >= 400 || envelope.status === "error") {
    const refusal: Refusal = envelope.errors?.[0] ?? { message: envelope.message };
    const status = typeof refusal.status === "number" ? refusal.status : httpStatus;
    throw errorFrom(refusal, status, attempted);
  }
  return items;
}
