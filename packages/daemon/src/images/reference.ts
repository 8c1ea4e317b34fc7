/** Names of images, by the grammar of the distribution project's reference package. */
import { UniError } from "@uni/contract/errors";
import { type Digest, isDigest } from "@uni/contract/ids";
import { impliedHost, splitName } from "@uni/contract/image-names";
import { digestProblem } from "./digest.ts";

export interface ImageReference {
  /** Host, if any, and path. */
  readonly name: string;
  readonly tag: string | undefined;
  readonly digest: Digest | undefined;
}

const component = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const host =
  /^(?:(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?$/;
/** It would pass for a name with a tag. */
const otherDigest = /^sha(?:384:[0-9a-f]{96}|512:[0-9a-f]{128})$/;
const tagPattern = /^\w[\w.-]{0,127}$/;
const maxNameLength = 255;

/** What of a name is left out: the host that a plain name means, and the path there. */
const impliedHosts: ReadonlySet<string> = new Set([impliedHost, `index.${impliedHost}`]);
const impliedPath = "library/";

export function parseReference(text: string): ImageReference {
  const at = text.indexOf("@");
  const digest = at === -1 ? undefined : text.slice(at + 1);
  if (digest !== undefined && !isDigest(digest)) throw badReference(text, digestProblem(digest));
  if (otherDigest.test(text)) throw badReference(text, digestProblem(text));
  const named = at === -1 ? text : text.slice(0, at);
  const colon = named.lastIndexOf(":");
  const tagged = colon > named.lastIndexOf("/");
  const tag = tagged ? named.slice(colon + 1) : undefined;
  if (tag !== undefined && !tagPattern.test(tag)) {
    throw badReference(text, `the tag "${tag}" is not letters, digits, "_", "." and "-"`);
  }
  return { name: readName(tagged ? named.slice(0, colon) : named, text), tag, digest };
}

/** `name:tag`, the form in which references are kept. One with a digest names no tag and is refused. */
export function canonicalReference(text: string): string {
  const { name, tag, digest } = parseReference(text);
  if (digest !== undefined) throw badReference(text, "a digest cannot be given to an image as its name");
  return `${name}:${tag ?? "latest"}`;
}

/** The same of a text that may be no name at all: a digest, a part of one. */
export function canonicalIfAny(text: string): string | undefined {
  try {
    return canonicalReference(text);
  } catch {
    return undefined;
  }
}

function readName(name: string, text: string): string {
  const { host: first, path } = splitName(name);
  if (first !== undefined && !host.test(first)) throw badReference(text, `"${first}" is not a host name`);
  if (path === "") throw badReference(text, "it has no name");
  for (const part of path.split("/")) {
    if (component.test(part)) continue;
    const lower = part.toLowerCase();
    const advice = part !== lower && component.test(lower) ? `; did you mean "${lower}"?` : "";
    throw badReference(
      text,
      `"${part}" is not lower-case letters and digits with ".", "_" or "-" between${advice}`,
    );
  }
  if (name.length > maxNameLength)
    throw badReference(text, `its name is longer than ${maxNameLength} characters`);
  if (first === undefined) return path;
  if (!impliedHosts.has(first)) return name;
  return path.startsWith(impliedPath) ? path.slice(impliedPath.length) : path;
}

function badReference(text: string, reason: string): UniError {
  return new UniError("invalid_value", `read the image name "${text.slice(0, 300)}": ${reason}`, {
    hint: 'Names look like "web", "web:1.2" or "registry.example.com/team/web:1.2".',
  });
}
