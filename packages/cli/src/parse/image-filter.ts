import { matchesGlob } from "node:path";
import { UniError } from "@uni/contract/errors";
import type { ImageDetail } from "@uni/contract/rpc";

export type ImageFilter = (image: ImageDetail, all: readonly ImageDetail[]) => boolean;

/** Docker's filters of images: KEY=VALUE. */
export function parseImageFilter(text: string): ImageFilter {
  const equals = text.indexOf("=");
  const key = text.slice(0, Math.max(0, equals));
  const value = text.slice(equals + 1);
  const make = Object.hasOwn(filters, key) ? filters[key] : undefined;
  const filter = make?.(value);
  if (filter !== undefined) return filter;
  throw new UniError("invalid_value", `reading --filter '${text}': write KEY=VALUE`, {
    hint: "dangling=true or false, reference=PATTERN, label=KEY or label=KEY=VALUE, before=IMAGE, since=IMAGE.",
  });
}

const filters: Readonly<Record<string, (value: string) => ImageFilter | undefined>> = {
  dangling: (value) =>
    value === "true" || value === "false"
      ? ({ references }) => (references.length === 0) === (value === "true")
      : undefined,
  reference:
    (value) =>
    ({ references }) =>
      references.some((reference) => fitsPattern(reference, value)),
  label: (value) => {
    const [key = "", wanted] = splitOnce(value);
    return ({ config: { labels } }) =>
      Object.hasOwn(labels, key) && (wanted === undefined || labels[key] === wanted);
  },
  before: (value) => (image, all) => createdOf(image) < createdOf(find(value, all)),
  since: (value) => (image, all) => createdOf(image) > createdOf(find(value, all)),
};

/** A pattern without a tag fits every tag, and one without a slash fits the last part of a name. */
export function fitsPattern(reference: string, pattern: string): boolean {
  const name = reference.replace(/:[^:/]+$/, "");
  return [reference, name].some(
    (text) => matchesGlob(text, pattern) || (!pattern.includes("/") && matchesGlob(lastPart(text), pattern)),
  );
}

const lastPart = (name: string): string => name.slice(name.lastIndexOf("/") + 1);
const createdOf = ({ created_at }: ImageDetail): number => Date.parse(created_at);

function splitOnce(text: string): readonly [string, string | undefined] {
  const equals = text.indexOf("=");
  return equals === -1 ? [text, undefined] : [text.slice(0, equals), text.slice(equals + 1)];
}

function find(name: string, all: readonly ImageDetail[]): ImageDetail {
  const hex = name.replace(/^sha256:/, "");
  const found = all.find(
    ({ digest, references }) =>
      references.includes(name) ||
      references.includes(`${name}:latest`) ||
      (/^[0-9a-f]{6,}$/.test(hex) && digest.startsWith(`sha256:${hex}`)),
  );
  if (found !== undefined) return found;
  throw new UniError("image_not_found", `filtering images by '${name}': there is no such image`);
}
