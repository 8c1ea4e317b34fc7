import { messages } from "@uni/contract/envelope";
import { UniError } from "@uni/contract/errors";

/** Parses JSON; empty text is no value. A `__proto__` member is refused: copying it by key would change an object's prototype. */
export function parseJson(text: string): unknown {
  if (text.trim() === "") return undefined;
  try {
    return text.includes("__proto__") ? JSON.parse(text, refusePrototype) : JSON.parse(text);
  } catch (error) {
    if (error instanceof UniError) throw error;
    throw new UniError("malformed", `The request is no valid JSON: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function refusePrototype(key: string, value: unknown): unknown {
  if (key === "__proto__") throw new UniError("unknown_member", messages.unknownMember(key));
  return value;
}
