/** Hands out addresses, account by account, and remembers which blocks are whose. */
import { UniError } from "@uni/contract/errors";
import type { AccountId } from "@uni/contract/ids";
import { type AccountBlocks, accountOfBlock, blockOf, freeAddress, nextBlock } from "./account-blocks.ts";
import { contains, formatPrefix, type Prefix, parseAddress } from "./addresses.ts";

export interface Accounts {
  blocks(): AccountBlocks;
  pickAddress(account: AccountId, used: ReadonlySet<string>): string;
  /** Makes sure that the address is in a block of the account, taking the block if it is nobody's. */
  claim(account: AccountId, address: string): void;
}

export function createAccounts(
  pool: Prefix,
  stored: AccountBlocks = new Map(),
  onBlocks: (account: AccountId, blocks: readonly number[]) => void = () => {},
): Accounts {
  const blocks = new Map(stored);
  const last = new Map<AccountId, string>();

  const give = (account: AccountId, block: number) => {
    const own = [...(blocks.get(account) ?? []), block];
    onBlocks(account, own);
    blocks.set(account, own);
  };

  return {
    blocks: () => blocks,
    pickAddress(account, used) {
      for (;;) {
        const address = freeAddress(pool, blocks.get(account) ?? [], used, last.get(account));
        if (address !== undefined) {
          last.set(account, address);
          return address;
        }
        const block = nextBlock(pool, blocks);
        if (block === undefined) {
          throw new UniError(
            "none_free",
            `choose an address for account ${account}: the pool ${formatPrefix(pool)} is full`,
            { hint: "Remove instances that are no longer needed." },
          );
        }
        give(account, block);
      }
    },
    claim(account, address) {
      const value = parseAddress(address);
      if (value === undefined || !contains(pool, value)) {
        throw new UniError("invalid_value", `address ${address}: not in the pool ${formatPrefix(pool)}`);
      }
      const block = blockOf(pool, address);
      const owner = accountOfBlock(blocks, block);
      if (owner === undefined) return give(account, block);
      if (owner !== account) {
        throw new UniError(
          "invalid_value",
          `address ${address}: in a block of another account than ${account}`,
        );
      }
    },
  };
}
