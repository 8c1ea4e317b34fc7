/**
 * Names of images, of several accounts in one list. Each account has names of its own. Those below its account's name are kept as
 * they are, and are repositories of the registry; the others are kept with the account before them, which no name can be spelled
 * like. The machine's own account has what is left; what it gives a name without a slash is for everybody.
 */
import type { AccountId } from "@uni/contract/ids";
import { everybody, type Holder, type NameScope } from "../../store/blob-holders.ts";

/** The machine's own first. */
export type Accounts = readonly [Account, ...Account[]];

interface Account {
  readonly id: AccountId;
  readonly name: string;
}

export const isPlain = (name: string): boolean => !name.includes("/");
const privateMark = "@";

export class Names {
  readonly #accounts: Accounts;
  readonly #account: AccountId;
  readonly isMachine: boolean;
  /** Of the account's names, as they are kept. */
  readonly #prefix: string;
  readonly #privatePrefix: string;

  constructor(accounts: Accounts, account: AccountId) {
    this.#accounts = accounts;
    this.#account = account;
    this.isMachine = account === accounts[0].id;
    this.#prefix = `${accounts.find(({ id }) => id === account)?.name ?? account}/`;
    this.#privatePrefix = `${privateMark}${account}/`;
  }

  /** How a name of the account is kept. */
  keyOf(name: string): string {
    return this.isMachine || name.startsWith(this.#prefix) ? name : `${this.#privatePrefix}${name}`;
  }

  /** What a name that is kept is called by the account; undefined where it is another's. */
  shownAs(key: string): string | undefined {
    if (this.isMachine) return key.startsWith(privateMark) ? undefined : key;
    if (key.startsWith(this.#privatePrefix)) return key.slice(this.#privatePrefix.length);
    return key.startsWith(this.#prefix) || isPlain(key) ? key : undefined;
  }

  /** Who has what the account stores under a name, or in a repository of that name. */
  holdersFor(name: string): readonly Holder[] {
    if (!this.isMachine) return [this.#account];
    if (isPlain(name)) return [this.#account, everybody];
    const owner = this.#accounts.slice(1).find((each) => name.startsWith(`${each.name}/`));
    return owner === undefined ? [this.#account] : [this.#account, owner.id];
  }

  /** Whose things are the account's to read. */
  get readers(): readonly Holder[] {
    return [this.#account, everybody];
  }

  /** Names for which the account goes on to hold something. */
  get scope(): NameScope {
    return this.isMachine ? "none" : { prefixes: [this.#prefix, this.#privatePrefix] };
  }
}
