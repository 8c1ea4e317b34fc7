import { readFileSync } from "node:fs";
import { UniError } from "@uni/contract/errors";
import { systemReason } from "../system-reason.ts";

function contentOf(text: string, fields: ReadonlyMap<string, string>, env: NodeJS.ProcessEnv): Buffer {
  const id = fields.get("id");
  const file = fields.get("src") ?? fields.get("source");
  const variable = fields.get("env") ?? (file === undefined ? id : undefined);
  if (file !== undefined) {
    try {
      return readFileSync(file);
    } catch (cause) {
      throw new UniError("not_found", `reading the secret '${id}' from ${file}: ${systemReason(cause)}`, {
        cause,
      });
    }
  }
  const value = variable === undefined ? undefined : env[variable];
  if (value === undefined) {
    throw new UniError(
      "invalid_value",
      `reading --secret '${text}': there is neither src= nor such a variable`,
    );
  }
  return Buffer.from(value);
}

/** `id=NAME,src=FILE` or `id=NAME,env=VARIABLE`: contents by id, in base64. */
export function readSecrets(texts: readonly string[], env: NodeJS.ProcessEnv): Record<string, string> {
  const secrets: Record<string, string> = {};
  for (const text of texts) {
    const fields = new Map(
      text
        .split(",")
        .map((part) => [part.split("=", 1)[0] ?? "", part.slice(part.indexOf("=") + 1)] as const),
    );
    const id = fields.get("id");
    if (id === undefined || !/^[A-Za-z0-9_.-]+$/.test(id)) {
      throw new UniError("invalid_value", `reading --secret '${text}': it has no usable id`, {
        hint: "Write it as id=NAME,src=FILE.",
      });
    }
    secrets[id] = contentOf(text, fields, env).toString("base64");
  }
  return secrets;
}
