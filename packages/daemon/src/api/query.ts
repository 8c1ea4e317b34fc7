import { messages } from "@uni/contract/envelope";
import { UniError } from "@uni/contract/errors";
import type { Static, TObject } from "typebox";
import { validate } from "./validate.ts";

interface Member {
  readonly type?: string;
  readonly items?: Member;
}

/** Reads query members as the schema types them: repeated keys are lists, numbers and booleans come as text. */
export function readQuery<T extends TObject>(schema: T, raw: Readonly<Record<string, unknown>>): Static<T> {
  const members = schema.properties as unknown as Readonly<Record<string, Member>>;
  const value: Record<string, unknown> = {};
  for (const [key, given] of Object.entries(raw)) {
    if (key === "metro") continue;
    const member = Object.hasOwn(members, key) ? members[key] : undefined;
    if (member === undefined) throw new UniError("unknown_member", messages.unknownMember(key));
    value[key] = coerce(member, given, key);
  }
  return validate(schema, value, "query");
}

function coerce(member: Member, given: unknown, key: string): unknown {
  if (member.type === "array") {
    const texts = Array.isArray(given) ? given : [given];
    return texts.map((text) => coerce(member.items ?? {}, text, key));
  }
  if (Array.isArray(given)) throw new UniError("invalid_value", `Member '${key}' must be given once`);
  const text = String(given);
  if (member.type === "integer") return /^-?\d{1,16}$/.test(text) ? Number(text) : text;
  if (member.type === "boolean") return text === "true" ? true : text === "false" ? false : text;
  return text;
}
