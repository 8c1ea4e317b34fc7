import { join } from "node:path";
import { readTextIfExists, removeTree, writeFileAtomic } from "../host/files.ts";

/** The version that a person chose with `uni kernel use`, kept in `kernel.json`. Without one, the newest distribution kernel counts. */
export async function readSelection(dataDirectory: string): Promise<string | undefined> {
  const text = await readTextIfExists(join(dataDirectory, "kernel.json"));
  if (text === undefined) return undefined;
  const { version } = JSON.parse(text) as { version?: unknown };
  return typeof version === "string" ? version : undefined;
}

export const writeSelection = (dataDirectory: string, version: string): Promise<void> =>
  writeFileAtomic(join(dataDirectory, "kernel.json"), `${JSON.stringify({ version })}\n`);

export const clearSelection = (dataDirectory: string): Promise<void> =>
  removeTree(join(dataDirectory, "kernel.json"));
