/** Rules of others that stand in the way of forwarded packets: Docker, for one, sets the policy of iptables' FORWARD to drop. */
import { nftJson } from "../host/network-commands.ts";

/** Chains that drop what no rule of theirs accepts, as "FAMILY TABLE CHAIN"; iptables-nft's are among them, iptables-legacy's not. */
export async function droppingForwardChains(): Promise<readonly string[]> {
  const items = ((await nftJson(["list", "chains"])) ?? []) as readonly {
    readonly chain?: {
      readonly family: string;
      readonly table: string;
      readonly name: string;
      readonly hook?: string;
      readonly policy?: string;
    };
  }[];
  return items.flatMap(({ chain }) => {
    if (chain?.hook !== "forward" || chain.policy !== "drop" || chain.table.startsWith("uni_")) return [];
    return chain.family === "ip" || chain.family === "inet"
      ? [`${chain.family} ${chain.table} ${chain.name}`]
      : [];
  });
}
