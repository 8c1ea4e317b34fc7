import { InvalidArgumentError } from "commander";

export type DetachKeys = readonly number[];

/** Ctrl-P, Ctrl-Q: Docker's. */
export const defaultDetachKeys: DetachKeys = [16, 17];

/** Keys with commas between them: a character each, or ctrl- and a letter or one of `@[\]^_`. Nothing means the default. */
export function parseDetachKeys(text: string): DetachKeys {
  return text === "" ? defaultDetachKeys : text.split(",").map(parseKey);
}

function parseKey(text: string): number {
  const [, control = ""] = /^ctrl-([a-z@[\\\]^_])$/i.exec(text) ?? [];
  if (control !== "") return control.toUpperCase().charCodeAt(0) - 64;
  if (/^[\x20-\x7e]$/.test(text)) return text.charCodeAt(0);
  throw new InvalidArgumentError("Give keys such as ctrl-p,ctrl-q or ctrl-x,x.");
}
