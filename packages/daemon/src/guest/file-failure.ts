import { UniError } from "@uni/contract/errors";

/**
 * What the agent says when a file operation fails ends in its C library's words for the reason (musl, strerror). It begins
 * with the path, which we may have said ourselves.
 */
export function fileFailure(attempted: string, said: string): UniError {
  const subject = said.split(": ", 1)[0] ?? "";
  const reason = attempted.split(" ").includes(subject) ? said.slice(subject.length + 2) : said;
  const code = /(No such file or directory|does not exist)$/.test(reason)
    ? "not_found"
    : reason.endsWith("No space left on device")
      ? "no_space"
      : "failed";
  return new UniError(code, `${attempted}: ${reason}`);
}
