/** Checks a value against a schema and says in one sentence what is wrong with the first thing that is. */

import { messages, quoted } from "@uni/contract/envelope";
import { UniError } from "@uni/contract/errors";
import { hostnamePattern, namePattern, tagPattern } from "@uni/contract/limits";
import type { Static, TSchema } from "typebox";
import { Check } from "typebox/value";

/**
 * The value, typed; throws `unknown_member` or `invalid_value`. `what` names the value itself when it is no member.
 * Interpreted: compiling the schemas costs the daemon's start 100 ms, and one request saves less than 0.2 ms by it.
 */
export function validate<T extends TSchema>(schema: T, value: unknown, what: string): Static<T> {
  if (Check(schema, value)) return value as Static<T>;
  throw explain(schema as Shape, value, what) ?? new UniError("invalid_value", `Invalid ${what}`);
}

/** The part of JSON Schema that the contract uses. */
interface Shape {
  readonly type?: string;
  readonly const?: unknown;
  readonly anyOf?: readonly Shape[];
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly patternProperties?: Readonly<Record<string, Shape>>;
  readonly propertyNames?: { readonly pattern?: string };
  readonly required?: readonly string[];
  readonly additionalProperties?: unknown;
  readonly items?: Shape;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly maxProperties?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly not?: unknown;
}

/** What a pattern lets through, for whoever does not read patterns. */
const patternWords: Readonly<Record<string, string>> = {
  [namePattern]: "Letters, digits, '.', '_' and '-' are, and it begins with a letter or a digit.",
  [tagPattern]: "Letters, digits and '-', '+', '_', '.', ':' and '=' are.",
  [hostnamePattern]: "Letters, digits and '-' are, at most 63; it neither begins nor ends with '-'.",
};

function explain(shape: Shape, value: unknown, what: string): UniError | undefined {
  if (shape.anyOf !== undefined) return explainUnion(shape.anyOf, value, what);
  if (shape.const !== undefined)
    return shape.const === value ? undefined : wrong(what, `must be '${shape.const}'`);
  if (shape.not !== undefined) return wrong(what, "must be left out");
  if (shape.type !== undefined && !hasType(shape.type, value)) return wrongType(what, [shape.type], value);
  switch (shape.type) {
    case "object":
      return explainObject(shape, value as Record<string, unknown>, what);
    case "array":
      return explainArray(shape, value as readonly unknown[], what);
    case "string":
      return explainString(shape, value as string, what);
    case "integer":
    case "number":
      return explainNumber(shape, value as number, what);
    default:
      return undefined;
  }
}

function explainUnion(branches: readonly Shape[], value: unknown, what: string): UniError | undefined {
  if (branches.every((branch) => branch.const !== undefined)) {
    if (branches.some((branch) => branch.const === value)) return undefined;
    if (typeof value !== "string") return wrongType(what, ["string"], value);
    return wrong(
      what,
      `must be one of ${branches.map((branch) => `'${branch.const}'`).join(", ")}, not ${quoted(value)}`,
    );
  }
  const fitting = branches.filter((branch) => branch.type !== undefined && hasType(branch.type, value));
  if (fitting.length === 0)
    return wrongType(
      what,
      branches.map((branch) => branch.type ?? "value"),
      value,
    );
  const reasons = fitting.map((branch) => explain(branch, value, what));
  return reasons.includes(undefined) ? undefined : reasons[0];
}

function explainObject(shape: Shape, value: Record<string, unknown>, what: string): UniError | undefined {
  const known = shape.properties ?? {};
  if (shape.additionalProperties === false) {
    const stranger = Object.keys(value).find((key) => !Object.hasOwn(known, key));
    if (stranger !== undefined) return new UniError("unknown_member", messages.unknownMember(stranger));
  }
  const missing = shape.required?.find((key) => !Object.hasOwn(value, key));
  if (missing !== undefined) return new UniError("invalid_value", `Missing member '${missing}'`);
  for (const [key, member] of Object.entries(known)) {
    const reason = Object.hasOwn(value, key) ? explain(member, value[key], `Member '${key}'`) : undefined;
    if (reason !== undefined) return reason;
  }
  return explainMap(shape, value, what);
}

function explainMap(shape: Shape, value: Record<string, unknown>, what: string): UniError | undefined {
  const entry = Object.values(shape.patternProperties ?? {})[0];
  if (entry === undefined) return undefined;
  const keys = Object.keys(value);
  if (shape.maxProperties !== undefined && keys.length > shape.maxProperties) {
    return new UniError(
      "too_many",
      `${what} must have at most ${shape.maxProperties} entries, not ${keys.length}`,
    );
  }
  const keyPattern = shape.propertyNames?.pattern;
  for (const key of keys) {
    if (keyPattern !== undefined && !new RegExp(keyPattern, "u").test(key)) {
      return wrong(what, `has the key ${quoted(key)}, which is not allowed`);
    }
    const reason = explain(entry, value[key], `${what}, key ${quoted(key)},`);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

function explainArray(shape: Shape, value: readonly unknown[], what: string): UniError | undefined {
  if (shape.maxItems !== undefined && value.length > shape.maxItems) {
    return new UniError("too_many", `${what} must have at most ${shape.maxItems} items, not ${value.length}`);
  }
  if (shape.minItems !== undefined && value.length < shape.minItems) {
    return wrong(what, `must have at least ${shape.minItems} item${shape.minItems === 1 ? "" : "s"}`);
  }
  for (const [index, item] of value.entries()) {
    const reason =
      shape.items === undefined ? undefined : explain(shape.items, item, `${what}, item ${index},`);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

function explainString(shape: Shape, value: string, what: string): UniError | undefined {
  const { minLength = 0, maxLength = Number.POSITIVE_INFINITY, pattern } = shape;
  if (value.length < minLength) return wrong(what, "must not be empty");
  if (value.length > maxLength)
    return wrong(what, `must be at most ${maxLength} characters, not ${value.length}`);
  if (pattern !== undefined && !new RegExp(pattern, "u").test(value)) {
    return wrong(what, `has characters that are not allowed: ${quoted(value)}`, patternWords[pattern]);
  }
  return undefined;
}

function explainNumber(shape: Shape, value: number, what: string): UniError | undefined {
  const { minimum = Number.NEGATIVE_INFINITY, maximum = Number.POSITIVE_INFINITY } = shape;
  if (value >= minimum && value <= maximum) return undefined;
  if (maximum === Number.POSITIVE_INFINITY) return wrong(what, `must be at least ${minimum}, not ${value}`);
  return wrong(what, `must be between ${minimum} and ${maximum}, not ${value}`);
}

function hasType(type: string, value: unknown): boolean {
  switch (type) {
    case "object":
      return typeof value === "object" && value !== null && !Array.isArray(value);
    case "array":
      return Array.isArray(value);
    case "integer":
      return Number.isInteger(value);
    case "null":
      return value === null;
    default:
      return typeof value === type;
  }
}

function typeOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}

const wrong = (what: string, reason: string, hint?: string) =>
  new UniError("invalid_value", `${what} ${reason}`, hint === undefined ? {} : { hint });

function wrongType(what: string, expected: readonly string[], value: unknown): UniError {
  return wrong(what, `must be of type ${[...new Set(expected)].join(" or ")}, not ${typeOf(value)}`);
}
