import { readFile } from "node:fs/promises";
import { UniError } from "@uni/contract/errors";
import type { Command } from "commander";
import { systemReason } from "./system-reason.ts";

export interface CertificateOptions {
  readonly chain: string;
  readonly key: string;
}

export const addCertificateOptions = (command: Command): Command =>
  command
    .requiredOption("--chain <file>", "PEM: the certificate, then its issuers in order")
    .requiredOption("--key <file>", "PEM: its private key, not encrypted");

export async function readCertificateFiles({ chain, key }: CertificateOptions) {
  return { chain: await read(chain, "chain"), pkey: await read(key, "key") };
}

async function read(path: string, what: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new UniError("not_found", `reading the ${what} '${path}': ${systemReason(error)}`, {
      cause: error,
    });
  }
}
