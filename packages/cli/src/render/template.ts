/** A small part of Go's templates, as Docker takes them with --format. */
import { UniError } from "@uni/contract/errors";
import { printable } from "./escape.ts";

type Render = (value: object) => string;

const escapes: Readonly<Record<string, string>> = { "\\t": "\t", "\\n": "\n" };

/**
 * `{{.path.to.member}}` and `{{json .path}}`, `.` for the whole; `\t` and `\n`. Members are found whatever their case and
 * without their underscores, as Docker writes them: `.CreatedAt` is `created_at`. A missing one fails with `invalid_value`.
 */
export function parseTemplate(text: string): Render {
  if (text === "json") return (value) => JSON.stringify(value);
  const parts = text
    .replace(/\\[tn]/g, (found) => escapes[found] ?? found)
    .split(/(\{\{.*?\}\})/s)
    .map((part) => (part.startsWith("{{") ? parseAction(part) : () => part));
  return (value) => parts.map((part) => part(value)).join("");
}

function parseAction(action: string): Render {
  const [, json, path] = /^\{\{-?\s*(json\s+)?((?:\.\w+)+|\.)\s*-?\}\}$/.exec(action) ?? [];
  if (path === undefined) {
    throw new UniError(
      "invalid_value",
      `reading --format: '${action}' is neither {{.member}} nor {{json .member}}`,
      {
        hint: "-o json prints everything, for jq and scripts.",
      },
    );
  }
  const names = path.split(".").filter((name) => name !== "");
  return (value) => {
    const found = names.reduce<unknown>((inner, name) => memberOf(inner, name, path), value);
    if (json !== undefined || (typeof found === "object" && found !== null))
      return JSON.stringify(found ?? null);
    return found === undefined ? "" : printable(String(found));
  };
}

const bare = (name: string): string => name.replaceAll("_", "").toLowerCase();

function memberOf(value: unknown, name: string, path: string): unknown {
  const members: Readonly<Record<string, unknown>> =
    typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  if (Object.hasOwn(members, name)) return members[name];
  const near = Object.keys(members).find((key) => bare(key) === bare(name));
  if (near !== undefined) return members[near];
  throw new UniError("invalid_value", `printing ${path}: there is no '${name}'`, {
    hint: `There are: ${Object.keys(members).sort().join(", ") || "no members"}.`,
  });
}
