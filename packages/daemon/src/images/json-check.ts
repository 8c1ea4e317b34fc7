/** Reads untrusted JSON member by member: wrong types are errors that name the member, unknown members are ignored, null is absent. */
import { UniError } from "@uni/contract/errors";

export type JsonObject = Readonly<Record<string, unknown>>;

/** Deeper than any document of the formats; a few bytes a level would otherwise make millions of objects. */
const maxDepth = 64;

export function parseJson(bytes: Uint8Array, what: string): JsonObject {
  if (depthOf(bytes) > maxDepth) {
    throw new UniError("image_unsafe", `read ${what}: over the limit of ${maxDepth} levels of nesting`);
  }
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw new UniError("image_invalid", `read ${what}: it is not JSON`, { cause: error });
  }
  return asObject(value, what);
}

/** Of brackets outside strings; bytes that are no JSON have some depth too. */
function depthOf(bytes: Uint8Array): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (inString) {
      if (byte === 0x5c) at++;
      else if (byte === 0x22) inString = false;
    } else if (byte === 0x22) inString = true;
    else if (byte === 0x7b || byte === 0x5b) deepest = Math.max(deepest, ++depth);
    else if (byte === 0x7d || byte === 0x5d) depth--;
  }
  return deepest;
}

export function asObject(value: unknown, what: string): JsonObject {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw wrong(what, "an object");
  return value as JsonObject;
}

export function asArray(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw wrong(what, "an array");
  return value;
}

export function asString(value: unknown, what: string): string {
  if (typeof value !== "string" || value.includes("\0")) throw wrong(what, "a string");
  return value;
}

export function asBoolean(value: unknown, what: string): boolean {
  if (typeof value !== "boolean") throw wrong(what, "true or false");
  return value;
}

export function asSize(value: unknown, what: string): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw wrong(what, "a size");
  return value as number;
}

export function member(object: JsonObject, name: string): unknown {
  return Object.hasOwn(object, name) ? (object[name] ?? undefined) : undefined;
}

export function optional<T>(
  value: unknown,
  what: string,
  read: (value: unknown, what: string) => T,
): T | undefined {
  return value === undefined || value === null ? undefined : read(value, what);
}

export function asStrings(value: unknown, what: string): string[] {
  return asArray(value, what).map((each, index) => asString(each, `${what}[${index}]`));
}

export function asStringMap(value: unknown, what: string): Record<string, string> {
  const entries = Object.entries(asObject(value, what));
  return Object.fromEntries(entries.map(([key, each]) => [key, asString(each, `${what}.${key}`)]));
}

function wrong(what: string, expected: string): UniError {
  return new UniError("image_invalid", `read ${what}: it is not ${expected}`, {
    hint: "The image is damaged or made by a tool that does not keep to the OCI format; build it again.",
  });
}
