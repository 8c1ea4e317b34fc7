import Type from "typebox";
import { type ResponseStatus, responseStatuses } from "./enums.ts";
import { answer, count, note, words } from "./schema.ts";

/** Outcome of one item of a request, beside its reference. `code` and `hint` are Uni's additions. */
export const outcomeMembers = {
  status: Type.Optional(words(responseStatuses, "Outcome of this item")),
  message: Type.Optional(Type.String(note("Only when something went wrong"))),
  error: Type.Optional(Type.Integer(note("Numeric code; only when something went wrong"))),
  code: Type.Optional(Type.String(note("Stable error code in words; only when something went wrong"))),
  hint: Type.Optional(Type.String(note("What to do about it"))),
};

export const ResponseError = answer({
  status: Type.Integer(note("HTTP status that describes the failure")),
  message: Type.Optional(Type.String()),
  code: Type.Optional(Type.String(note("Stable error code in words"))),
  hint: Type.Optional(Type.String(note("What to do about it"))),
});

export interface ResponseError {
  readonly status: number;
  readonly message?: string;
  readonly code?: string;
  readonly hint?: string;
}

/** Every JSON answer of the REST API. `data` holds one list under the resource's key, or an object. */
export interface Envelope<Data = unknown> {
  readonly status: ResponseStatus;
  readonly message?: string;
  readonly data?: Data;
  readonly errors?: readonly ResponseError[];
  readonly op_time_us: number;
}

export const envelopeMembers = {
  status: words(responseStatuses),
  message: Type.Optional(Type.String()),
  errors: Type.Optional(Type.Array(ResponseError, note("Only when the whole request was refused"))),
  op_time_us: count("Microseconds that the server spent on the request"),
};

const quotedLength = 64;

/** A text of a request as messages repeat it: in quotes, short, and without characters that steer a terminal. */
export function quoted(text: string): string {
  const short = text.length > quotedLength ? `${text.slice(0, quotedLength)}…` : text;
  return `'${JSON.stringify(short).slice(1, -1)}'`;
}

export const messages = {
  allFailed: "Failed to perform all operations",
  timedOut: "Operation timed out",
  deletionLocked: "Deletion protection enabled",
  unknownMember: (member: string) => `Unknown member ${quoted(member)}`,
  invalidUuid: (value: string) => `Invalid uuid ${quoted(value)}`,
  noSuch: (kind: string, by: "uuid" | "name", value: string) => `No ${kind} with ${by} '${value}'`,
} as const;
