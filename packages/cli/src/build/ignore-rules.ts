/**
 * What a `.dockerignore` leaves out of a build context, by the rules of Docker's own matcher: patterns count from the
 * context, `**` spans directories, a directory takes with it what is below, the last pattern that matches decides.
 */
import { readFileSync, statSync } from "node:fs";
import { join, posix } from "node:path";
import { UniError } from "@uni/contract/errors";
import type { LeaveOut } from "../files/pack.ts";
import { systemReason } from "../system-reason.ts";

export interface IgnoreRules {
  ignores(path: string): boolean;
  /** Something below that is ignored may be kept all the same. */
  mayKeepBelow(path: string): boolean;
}

interface Rule {
  readonly pattern: RegExp;
  readonly text: string;
  readonly keeps: boolean;
}

const maxBytes = 1 << 20;
const maxRules = 10_000;
const maxWildcards = 8;

/** The one beside the Dockerfile that is named after it, else that of the context. */
export function findIgnoreFile(context: string, dockerfile: string): string | undefined {
  const places = [
    `${dockerfile}.dockerignore`,
    join(context, ".containerignore"),
    join(context, ".dockerignore"),
  ];
  return places.find((path) => statSync(path, { throwIfNoEntry: false })?.isFile() === true);
}

export function readIgnoreRules(path: string): IgnoreRules {
  try {
    if (statSync(path).size > maxBytes) {
      throw new UniError("too_large", `reading ${path}: it is longer than ${maxBytes} bytes`);
    }
    return parseIgnoreRules(readFileSync(path, "utf8"), path);
  } catch (cause) {
    if (cause instanceof UniError) throw cause;
    throw new UniError("failed", `reading ${path}: ${systemReason(cause)}`, { cause });
  }
}

export const leaveOutOf =
  (rules: IgnoreRules): LeaveOut =>
  (path) =>
    rules.ignores(path) ? (rules.mayKeepBelow(path) ? "itself" : "all") : "nothing";

export function parseIgnoreRules(text: string, what: string): IgnoreRules {
  const rules: Rule[] = [];
  for (const [index, line] of text
    .replace(/^\ufeff/, "")
    .split(/\r?\n/)
    .entries()) {
    const rule = line.startsWith("#") ? undefined : parseRule(line.trim(), `${what} line ${index + 1}`);
    if (rule !== undefined) rules.push(rule);
    if (rules.length > maxRules)
      throw new UniError("too_many", `reading ${what}: more than ${maxRules} patterns`);
  }
  const kept = rules.filter(({ keeps }) => keeps);
  return {
    ignores(path) {
      const parents = path.split("/").map((_, at, parts) => parts.slice(0, at + 1).join("/"));
      let ignored = false;
      for (const { pattern, keeps } of rules) {
        if (ignored === keeps && parents.some((each) => pattern.test(each))) ignored = !keeps;
      }
      return ignored;
    },
    mayKeepBelow: (path) => kept.some(({ text }) => reaches(text, path)),
  };
}

/** A pattern whose first parts are wild can match anywhere. */
function reaches(pattern: string, directory: string): boolean {
  const [parts, below] = [pattern.split("/"), directory.split("/")];
  return below.every((part, at) => {
    const own = parts[at];
    const isWild = parts.slice(0, at + 1).some((each) => each.includes("**"));
    return isWild || (own !== undefined && partPattern(own).test(part));
  });
}

function parseRule(line: string, where: string): Rule | undefined {
  const keeps = line.startsWith("!");
  const written = (keeps ? line.slice(1) : line).trim();
  if (written === "") {
    if (keeps) throw new UniError("malformed", `reading ${where}: '!' stands alone`);
    return undefined;
  }
  const text = posix.normalize(written).replace(/^\/+/, "").replace(/\/+$/, "");
  if (text === "" || text === ".") return undefined;
  return { pattern: wholePattern(text, where), text, keeps };
}

function wholePattern(text: string, where: string): RegExp {
  // Each of them may have to try every length there is.
  if ((text.match(/\*+/g) ?? []).length > maxWildcards) {
    throw new UniError("too_many", `reading ${where}: more than ${maxWildcards} times * in one pattern`);
  }
  try {
    return new RegExp(`^${source(text)}$`, "u");
  } catch (cause) {
    throw new UniError("malformed", `reading ${where}: '${text}' is no pattern`, { cause });
  }
}

const partPattern = (text: string): RegExp => wholePattern(text, "a pattern");

/** `**` and a slash may be nothing at all; alone at the end it is everything below. */
function source(text: string): string {
  return text.replace(/\*\*\/|\*\*|\*|\?|\[(\^?)([^\]]*)\]|\\(.)|./gsu, (found, not, set, escaped) => {
    if (found === "**/") return "(?:.*/)?";
    if (found === "**") return ".*";
    if (found === "*") return "[^/]*";
    if (found === "?") return "[^/]";
    if (set !== undefined) return `[${not}${set.replace(/[\\[]/g, "\\$&")}]`;
    return (escaped ?? found).replace(/[\\^$.*+?()[\]{}|/]/u, "\\$&");
  });
}
