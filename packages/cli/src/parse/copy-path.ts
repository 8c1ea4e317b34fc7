import { UniError } from "@uni/contract/errors";

export type CopySide =
  | { readonly kind: "guest"; readonly name: string; readonly path: string }
  | { readonly kind: "local"; readonly path: string }
  | { readonly kind: "stream" };

/** `NAME:/path`, a local path, or `-`. A path with a colon in it is local when it begins with `/` or `.`, as Docker has it. */
export function parseCopySide(text: string): CopySide {
  if (text === "-") return { kind: "stream" };
  const match = /^([^/.:][^/:]*):(.*)$/s.exec(text);
  if (match === null) return { kind: "local", path: text };
  const [, name = "", path = ""] = match;
  if (path === "") {
    throw new UniError("invalid_value", `reading '${text}': the path in the instance is missing`, {
      hint: `Write ${name}:/path, or ./${text} for a local file.`,
    });
  }
  return { kind: "guest", name, path: path.startsWith("/") ? path : `/${path}` };
}
