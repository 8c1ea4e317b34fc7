/** Small builders over TypeBox, so that a resource file reads like its table in the reference. */
import Type, { type TLiteral, type TSchema, type TUnion } from "typebox";
import { limits, namePattern, noNulPattern, tagPattern } from "./limits.ts";

type Literals<T extends readonly string[]> = { -readonly [K in keyof T]: TLiteral<T[K]> };

/** One of the given words. */
export function words<const T extends readonly string[]>(values: T, description?: string) {
  const members = values.map((value) => Type.Literal(value)) as unknown as Literals<T>;
  return Type.Union(members, description === undefined ? {} : { description }) as TUnion<Literals<T>>;
}

/** A request object: a member that is not listed is refused. */
export function request<const T extends Record<string, TSchema>>(members: T, description?: string) {
  return Type.Object(members, {
    additionalProperties: false,
    ...(description === undefined ? {} : { description }),
  });
}

/** An answer object: later versions may add members. */
export function answer<const T extends Record<string, TSchema>>(members: T, description?: string) {
  return Type.Object(members, description === undefined ? {} : { description });
}

export const note = (description: string) => ({ description });

export const nameText = (description: string) =>
  Type.String({ minLength: 1, maxLength: limits.nameLength, pattern: namePattern, description });

export const plainText = (description: string, maxLength: number = limits.nameLength) =>
  Type.String({ minLength: 1, maxLength, pattern: noNulPattern, description });

export const integer = (description: string, range: { readonly minimum: number; readonly maximum: number }) =>
  Type.Integer({ minimum: range.minimum, maximum: range.maximum, description });

export const count = (description: string) => Type.Integer({ minimum: 0, description });

export const timestamp = (description: string) => Type.String({ format: "date-time", description });

export const list = <T extends TSchema>(item: T, description: string, maxItems: number = limits.arrayItems) =>
  Type.Array(item, { maxItems, description });

export const stringMap = (description: string, keyPattern: string, maxProperties: number) =>
  Type.Record(Type.String(), Type.String({ pattern: noNulPattern }), {
    description,
    maxProperties,
    propertyNames: { pattern: keyPattern },
  });

export const tagList = list(
  Type.String({ minLength: 1, maxLength: limits.tagLength, pattern: tagPattern }),
  "At most 16 tags of letters, digits and - + _ . : =",
  limits.tags,
);

export const timeoutS = integer("Seconds to block; 0 or absent: do not wait; -1: no limit", limits.timeoutS);

export const waitTimeoutMs = integer("Deprecated: use timeout_s. Rounded up to whole seconds.", {
  minimum: -1,
  maximum: limits.timeoutS.maximum * 1000,
});
