import type { Generated } from "kysely";
import type { ImagesTables } from "./images-schema.ts";
import type { PinsTables } from "./pins-schema.ts";
import type { RegistryCredentialsTables } from "./registry-credentials.ts";
import type { SavedTables } from "./saved-schema.ts";
import type { ServicesTables } from "./services-schema.ts";

/** Times are milliseconds since the epoch; JSON columns are text, written and read by their own query file only. */
export interface CoreTables {
  settings: { key: string; value: string };
  accounts: { id: string; name: string; created_at: number };
  /** Hashes only: a token is shown once, when it is made. */
  tokens: { hash: string; account: string; created_at: number };
  instances: {
    uuid: string;
    /** Order of creation; the paging cursor. */
    sequence: Generated<number>;
    account: string;
    name: string;
    address: string;
    created_at: number;
    spec: string;
    status: string;
  };
  /** Sequence of deleted instances, so that a page cursor outlives its instance. */
  deleted_instances: { uuid: string; sequence: number; deleted_at: number };
}

export type Tables = CoreTables &
  ImagesTables &
  PinsTables &
  RegistryCredentialsTables &
  SavedTables &
  ServicesTables;
