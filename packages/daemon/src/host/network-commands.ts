/** What iproute2 lists, as JSON, and nftables. Links are changed by link-commands.ts. */
import { UniError } from "@uni/contract/errors";
import { run, runOk } from "./process.ts";

const timeoutMs = 20_000;

export async function ipJson(args: readonly string[]): Promise<unknown> {
  const { stdout } = await runOk("ip", ["-json", ...args], { timeoutMs });
  const text = stdout.toString().trim();
  return text === "" ? [] : parseJson(text, `ip ${args.join(" ")}`);
}

/** One transaction: the kernel takes all of the script or nothing. */
export async function nftScript(script: string): Promise<void> {
  if (script === "") return;
  await runOk("nft", ["-f", "-"], { stdin: script, timeoutMs });
}

/** The answer's `nftables` list, or undefined if the kernel has no such object. */
export async function nftJson(args: readonly string[]): Promise<readonly unknown[] | undefined> {
  const result = await run("nft", ["-j", ...args], { timeoutMs });
  if (result.code !== 0) {
    if (result.stderr.includes("No such file or directory")) return undefined;
    throw new UniError("failed", `nft ${args.join(" ")}: ${result.stderr.trim() || "no message"}`);
  }
  const answer = parseJson(result.stdout.toString(), `nft ${args.join(" ")}`) as { nftables?: unknown[] };
  return answer.nftables ?? [];
}

function parseJson(text: string, attempted: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new UniError("failed", `${attempted}: the answer is not JSON`, { cause });
  }
}
