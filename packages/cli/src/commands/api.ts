import { readFileSync } from "node:fs";
import { UniError } from "@uni/contract/errors";
import type { CommandModule } from "../define.ts";
import { findOperation } from "../parse/operation.ts";

function parseBody(text: string | undefined): { readonly body?: unknown } {
  if (text === undefined) return {};
  const source =
    text === "@-"
      ? readFileSync(0, "utf8")
      : text.startsWith("@")
        ? readFileSync(text.slice(1), "utf8")
        : text;
  try {
    return { body: JSON.parse(source) };
  } catch (cause) {
    throw new UniError("malformed", `reading the body: ${(cause as Error).message}`, { cause });
  }
}

export const api: CommandModule = {
  examples: [
    "uni api GET '/v1/instances?count=10'",
    'uni api POST /v1/instances \'{"image": "hello", "autostart": true}\'',
    "uni api PUT /v1/instances/stop @body.json",
  ],
  define(command, act) {
    command
      .argument("<method>", "GET, POST, PUT, PATCH or DELETE")
      .argument("<path>", "path with its query, such as /v1/instances")
      .argument("[body]", "JSON, @FILE, or @- for standard input")
      .action(
        act(async ({ client, out, signal }, method: string, path: string, text: string | undefined) => {
          const { id, params } = findOperation(method.toUpperCase(), path);
          const envelope = await client.operation(
            id,
            { ...params, ...parseBody(text) },
            { signal, timeoutMs: Infinity },
          );
          await out.show(envelope, { text: () => `${JSON.stringify(envelope, null, 2)}\n` });
          return envelope.status === "success" ? 0 : 1;
        }),
      );
  },
};
