/**
 * The error table. A code is stable: scripts and tests match on it. `status` is the HTTP status when the whole
 * request is refused; `wire` is the numeric item code of the Unikraft Cloud API; `exit` is the CLI's exit status.
 */
export const errorTable = {
  internal: { status: 500, wire: 0, exit: 70 },
  not_supported: { status: 400, wire: 1, exit: 64 },
  no_such_endpoint: { status: 404, wire: 3, exit: 64 },
  too_many: { status: 400, wire: 5, exit: 64 },
  unknown_member: { status: 400, wire: 6, exit: 64 },
  invalid_value: { status: 400, wire: 7, exit: 64 },
  not_found: { status: 404, wire: 8, exit: 66 },
  image_not_found: { status: 404, wire: 8, exit: 66 },
  kernel_not_found: { status: 404, wire: 8, exit: 66 },
  ambiguous: { status: 409, wire: 17, exit: 64 },
  none_free: { status: 503, wire: 9, exit: 75 },
  failed: { status: 500, wire: 10, exit: 1 },
  wrong_state: { status: 409, wire: 11, exit: 69 },
  timed_out: { status: 504, wire: 12, exit: 75 },
  unauthorized: { status: 401, wire: 14, exit: 77 },
  not_allowed: { status: 403, wire: 14, exit: 77 },
  delete_locked: { status: 409, wire: 14, exit: 77 },
  malformed: { status: 400, wire: 16, exit: 64 },
  too_large: { status: 413, wire: 22, exit: 64 },
  exclusive: { status: 400, wire: 17, exit: 64 },
  snapshot_unusable: { status: 409, wire: 11, exit: 69 },
  rom_unusable: { status: 409, wire: 11, exit: 69 },
  quota_exceeded: { status: 409, wire: 19, exit: 69 },
  memory_too_small: { status: 400, wire: 20, exit: 64 },
  already_exists: { status: 409, wire: 23, exit: 73 },
  in_use: { status: 409, wire: 24, exit: 69 },
  port_in_use: { status: 409, wire: 24, exit: 69 },
  certificate_invalid: { status: 400, wire: 7, exit: 65 },
  certificate_mismatch: { status: 400, wire: 30, exit: 65 },
  image_invalid: { status: 400, wire: 10, exit: 65 },
  image_unsafe: { status: 400, wire: 10, exit: 65 },
  digest_mismatch: { status: 400, wire: 10, exit: 65 },
  elf_dynamic: { status: 400, wire: 10, exit: 65 },
  build_failed: { status: 400, wire: 10, exit: 65 },
  no_space: { status: 507, wire: 10, exit: 74 },
  guest_unreachable: { status: 502, wire: 10, exit: 69 },
  guest_failed: { status: 400, wire: 10, exit: 1 },
  vmm_failed: { status: 500, wire: 10, exit: 70 },
  host_unfit: { status: 500, wire: 10, exit: 69 },
  unreachable: { status: 502, wire: 10, exit: 69 },
  acme_failed: { status: 502, wire: 10, exit: 69 },
  registry_denied: { status: 403, wire: 10, exit: 77 },
  registry_failed: { status: 502, wire: 10, exit: 69 },
} as const satisfies Record<string, { status: number; wire: number; exit: number }>;

export type ErrorCode = keyof typeof errorTable;

export interface UniErrorOptions {
  /** What to do about it, one sentence, for the person at the prompt. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/** The only error that crosses a room's border on purpose. `message` says what was attempted, on what, and why it failed. */
export class UniError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, options: UniErrorOptions = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.name = "UniError";
    this.code = code;
    this.hint = options.hint;
  }
}

/**
 * Wraps a thrown value: a UniError passes, a disk that is full is `no_space`, anything else becomes `internal`; the value is
 * the cause.
 */
export function toUniError(thrown: unknown, attempted: string): UniError {
  if (thrown instanceof UniError) return thrown;
  const { code, syscall = attempted } = (thrown ?? {}) as { code?: unknown; syscall?: string };
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new UniError("no_space", `${syscall}: the disk is full`, {
      hint: "Free some space: uni df shows what takes it.",
      cause: thrown,
    });
  }
  const reason = thrown instanceof Error ? thrown.message : String(thrown);
  return new UniError("internal", `${attempted}: ${reason}`, { cause: thrown });
}
