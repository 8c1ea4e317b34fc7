import { readFileSync } from "node:fs";
import { UniError } from "@uni/contract/errors";
import { systemReason } from "../system-reason.ts";

/** `K=V`, or `K` alone to hand the caller's own value on; a `K` that is not set here is left out, as Docker does. */
function addAssignment(
  text: string,
  into: Record<string, string>,
  own: NodeJS.ProcessEnv,
  where: string,
): void {
  const equals = text.indexOf("=");
  const key = equals < 0 ? text : text.slice(0, equals);
  if (key === "")
    throw new UniError("invalid_value", `reading ${where}: '${text}' has no name before the '='`);
  const value = equals < 0 ? own[key] : text.slice(equals + 1);
  if (value !== undefined) into[key] = value;
}

function addFile(path: string, into: Record<string, string>, own: NodeJS.ProcessEnv): void {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw new UniError("not_found", `reading the environment file ${path}: ${systemReason(cause)}`, {
      cause,
    });
  }
  for (const [index, line] of text
    .replace(/^\ufeff/, "")
    .split(/\r?\n/)
    .entries()) {
    const trimmed = line.trimStart();
    if (trimmed === "" || trimmed.startsWith("#")) continue;
    addAssignment(trimmed, into, own, `${path} line ${index + 1}`);
  }
}

/** Files first, so that an option on the command line wins. */
export function readEnvironment(
  assignments: readonly string[] | undefined,
  files: readonly string[] | undefined,
  own: NodeJS.ProcessEnv,
): Record<string, string> {
  const result: Record<string, string> = {};
  for (const path of files ?? []) addFile(path, result, own);
  for (const text of assignments ?? []) addAssignment(text, result, own, "--env");
  return result;
}
