/** Errors as the distribution specification wants them: its code, what happened, what to do. */
import { errorTable, toUniError, type UniError } from "@uni/contract/errors";

export type RegistryCode =
  | "BLOB_UNKNOWN"
  | "BLOB_UPLOAD_INVALID"
  | "BLOB_UPLOAD_UNKNOWN"
  | "DIGEST_INVALID"
  | "MANIFEST_BLOB_UNKNOWN"
  | "MANIFEST_INVALID"
  | "MANIFEST_UNKNOWN"
  | "NAME_INVALID"
  | "NAME_UNKNOWN"
  | "SIZE_INVALID"
  | "UNAUTHORIZED"
  | "DENIED"
  | "UNSUPPORTED"
  | "TOOMANYREQUESTS"
  /** Of no use to a client but for telling a person. */
  | "UNKNOWN";

/** Stays inside this room. */
export class Refusal extends Error {
  readonly code: RegistryCode;
  readonly status: number;
  readonly hint: string | undefined;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    code: RegistryCode,
    status: number,
    message: string,
    {
      hint,
      headers = {},
    }: { readonly hint?: string | undefined; readonly headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(message);
    this.code = code;
    this.status = status;
    this.hint = hint;
    this.headers = headers;
  }
}

export const refusal = (code: RegistryCode, status: number, message: string, hint?: string): Refusal =>
  new Refusal(code, status, message, { hint });

/** What a request was about says what a general error means. */
export type Subject = "manifest" | "blob" | "upload";

const notFound: Record<Subject, RegistryCode> = {
  manifest: "MANIFEST_UNKNOWN",
  blob: "BLOB_UNKNOWN",
  upload: "BLOB_UPLOAD_UNKNOWN",
};

export function toRefusal(thrown: unknown, subject: Subject): Refusal {
  if (thrown instanceof Refusal) return thrown;
  const error = toUniError(thrown, "serve a request");
  const [code, status] = meaning(error, subject);
  return new Refusal(code, status, error.message, { hint: error.hint });
}

function meaning({ code }: UniError, subject: Subject): readonly [RegistryCode, number] {
  switch (code) {
    case "not_found":
      return [notFound[subject], 404];
    case "digest_mismatch":
      return ["DIGEST_INVALID", 400];
    case "in_use":
      return ["UNSUPPORTED", 405];
    case "quota_exceeded":
      return ["TOOMANYREQUESTS", 429];
    case "too_large":
      return ["SIZE_INVALID", 413];
    case "image_unsafe":
      return [subject === "manifest" ? "MANIFEST_INVALID" : "SIZE_INVALID", 400];
    case "image_invalid":
    case "invalid_value":
      return ["MANIFEST_INVALID", 400];
    case "no_space":
    case "wrong_state":
      return ["BLOB_UPLOAD_INVALID", errorTable[code].status];
    default:
      return ["UNKNOWN", errorTable[code].status];
  }
}
