import { UniError } from "@uni/contract/errors";

/** What the agent says when a file operation fails ends in its C library's words for the reason (musl, strerror). */
export function fileFailure(attempted: string, reason: string): UniError {
  const code = reason.endsWith("No such file or directory")
    ? "not_found"
    : reason.endsWith("No space left on device")
      ? "no_space"
      : "failed";
  return new UniError(code, `${attempted}: ${reason}`);
}
