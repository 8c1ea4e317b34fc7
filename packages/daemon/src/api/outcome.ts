/**
 * What an operation answers, and the envelope around it. A request fails as a whole only when it is malformed or
 * contradictory; whatever goes wrong with one of its items stays with that item.
 */
import type { ResponseStatus } from "@uni/contract/enums";
import { type Envelope, messages } from "@uni/contract/envelope";
import { errorTable, type UniError } from "@uni/contract/errors";
import type { Reference } from "./port.ts";

export interface Item {
  readonly status?: ResponseStatus;
  readonly message?: string;
  readonly error?: number;
}

export type Answer =
  | { readonly kind: "items"; readonly items: readonly Item[] }
  | { readonly kind: "data"; readonly data: unknown }
  /** Not JSON: sent as it is. */
  | { readonly kind: "text"; readonly contentType: string; readonly text: string };

/** The fields of an item beyond its outcome are those of the operation, which its own file types. */
export const items = (list: readonly object[]): Answer => ({ kind: "items", items: list as readonly Item[] });

export function failedItem(reference: Reference, error: UniError): Item {
  return {
    status: "error",
    ...(reference.uuid === undefined ? {} : { uuid: reference.uuid }),
    ...(reference.name === undefined ? {} : { name: reference.name }),
    message: error.code === "delete_locked" ? messages.deletionLocked : error.message,
    error: errorTable[error.code].wire,
    code: error.code,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  } as Item;
}

/** A wait that ran out marks its item as failed, but gives it no code: clients tell the two apart by that. */
export const waitedItem = (members: object, timedOut: boolean): Item => ({
  status: timedOut ? "error" : "success",
  ...members,
});

export function envelopeOf(
  answer: Exclude<Answer, { kind: "text" }>,
  dataKey: string,
  opTimeUs: number,
): Envelope {
  if (answer.kind === "data") return { status: "success", data: answer.data, op_time_us: opTimeUs };
  const data = { [dataKey]: answer.items };
  const failed = answer.items.filter((item) => item.status === "error");
  if (failed.length === 0) return { status: "success", data, op_time_us: opTimeUs };
  const message = failed.every((item) => item.error === undefined) ? messages.timedOut : messages.allFailed;
  if (failed.length === answer.items.length) return { status: "error", message, data, op_time_us: opTimeUs };
  return { status: "partial_success", data, op_time_us: opTimeUs };
}

/** The whole request was refused. */
export function refusal(error: UniError, opTimeUs: number): { status: number; envelope: Envelope } {
  const status = errorTable[error.code].status;
  const detail = {
    status,
    message: error.message,
    code: error.code,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  };
  return {
    status,
    envelope: { status: "error", message: error.message, errors: [detail], op_time_us: opTimeUs },
  };
}
