import { readFileSync, statSync } from "node:fs";
import { UniError } from "@uni/contract/errors";
import { systemReason } from "../system-reason.ts";

const hint = "Name files of private keys without a passphrase: --ssh default=FILE[,FILE].";

/** `ID=FILE[,FILE]`: private keys by id, in base64. The daemon reaches no agent of the one who asks. */
export function readSshKeys(texts: readonly string[]): Record<string, string[]> {
  const keys: Record<string, string[]> = {};
  for (const text of texts) {
    const attempted = `reading --ssh '${text}'`;
    const [id = "", ...rest] = text.split("=");
    if (!/^[A-Za-z0-9_.-]+$/.test(id)) {
      throw new UniError("invalid_value", `${attempted}: it has no usable id`, { hint });
    }
    const files = rest
      .join("=")
      .split(",")
      .filter((file) => file !== "");
    if (files.length === 0) {
      throw new UniError("invalid_value", `${attempted}: agents are not handed on, only keys`, { hint });
    }
    keys[id] = files.map((file) => readKey(file, attempted).toString("base64"));
  }
  return keys;
}

function readKey(file: string, attempted: string): Buffer {
  if (statSync(file, { throwIfNoEntry: false })?.isSocket() === true) {
    throw new UniError("invalid_value", `${attempted}: ${file} is an agent, and agents are not handed on`, {
      hint,
    });
  }
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new UniError("not_found", `${attempted}: ${file}: ${systemReason(cause)}`, { hint, cause });
  }
}
