import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { UniError } from "@uni/contract/errors";
import { readTextIfExists } from "../host/files.ts";
import type { Architecture } from "./architectures.ts";

/** The lean kernel's configuration: the part all architectures share, then `lean.ARCH.config` from the same directory. */
export async function readLeanConfig(path: string, architecture: Architecture): Promise<string> {
  const own = await readTextIfExists(join(dirname(path), `lean.${architecture.make}.config`));
  if (own === undefined) {
    throw new UniError(
      "not_supported",
      `build the lean kernel: it has no configuration for ${architecture.make}`,
    );
  }
  return `${await readFile(path, "utf8")}\n${own}`;
}

/** What a fragment sets, by symbol; "n" is what "is not set" says. */
export function parseConfig(text: string): Map<string, string> {
  const symbols = new Map<string, string>();
  for (const line of text.split("\n")) {
    const off = /^# (CONFIG_\w+) is not set$/.exec(line);
    const set = /^(CONFIG_\w+)=(\S.*)$/.exec(line);
    if (off?.[1]) symbols.set(off[1], "n");
    else if (set?.[1] && set[2]) symbols.set(set[1], set[2]);
    else if (line !== "" && !line.startsWith("#")) {
      throw new UniError(
        "failed",
        `read the kernel configuration: cannot read the line ${line.slice(0, 80)}`,
      );
    }
  }
  return symbols;
}

/** Symbols of the fragment that the kernel's own configuration did not take, for want of something they depend on. */
export function untaken(fragment: string, result: string): string[] {
  const got = parseConfig(result);
  return [...parseConfig(fragment)]
    .filter(([symbol, value]) => (got.get(symbol) ?? "n") !== value)
    .map(([symbol]) => symbol);
}

export const configId = (config: string): string =>
  createHash("sha256").update(config).digest("hex").slice(0, 8);
