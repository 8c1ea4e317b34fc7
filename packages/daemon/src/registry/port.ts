/** What the registry asks of the daemon, filled by `main/`. */
import type { AccountId } from "@uni/contract/ids";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Repositories } from "../images/repositories/port.ts";

export interface RegistryDependencies {
  /** As an account sees them. */
  readonly repositoriesOf: (account: AccountId) => Repositories;
  /** Who a platform token belongs to; undefined: nobody. */
  readonly authenticate: (token: string) => AccountId | undefined;
  /** The account has the repositories below this name; undefined: it has all. */
  readonly namespaceOf: (account: AccountId) => string | undefined;
  /** Secret of this installation, from which the keys of tokens are made. */
  readonly key: Uint8Array;
  readonly clock: Clock;
  readonly log: Log;
}
