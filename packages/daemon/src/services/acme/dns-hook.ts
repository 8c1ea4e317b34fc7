/** The operator's program that sets and clears DNS records: `PROGRAM present|cleanup FQDN VALUE`. */
import { UniError } from "@uni/contract/errors";
import { runContained } from "../../host/contained-process.ts";

/** It answers when the record can be seen, and DNS servers take their time. */
const hookMs = 300_000;
const longestWords = 400;

export interface DnsRecord {
  readonly fqdn: string;
  readonly value: string;
}

export async function runDnsHook(
  program: string,
  act: "present" | "cleanup",
  { fqdn, value }: DnsRecord,
  { timeoutMs = hookMs, signal }: { readonly timeoutMs?: number; readonly signal?: AbortSignal } = {},
): Promise<void> {
  const attempted = `run the DNS hook '${program} ${act} ${fqdn}'`;
  const options = { timeoutMs, keepBytes: 1 << 16, ...(signal === undefined ? {} : { signal }) };
  const result = await runContained(program, [act, fqdn, value], options);
  if (result.code === 0) return;
  const words = result.stderr.trim().split("\n").slice(-3).join(" ").slice(-longestWords);
  const end = result.code === null ? `not done within ${timeoutMs / 1000} s` : `exit status ${result.code}`;
  throw new UniError("acme_failed", `${attempted}: ${end}: ${words || "it said nothing"}`, {
    hint: "Run it by hand as root with these arguments; see unid --acme-dns-hook.",
  });
}
