import type { Generated } from "kysely";

/** Tables of service groups and certificates. */
export interface ServicesTables {
  service_groups: {
    uuid: string;
    sequence: Generated<number>;
    account: string;
    name: string;
    created_at: number;
    spec: string;
    /** Null while it has members. */
    empty_since: number | null;
  };
  /** The instance is the key: it belongs to one group at most. */
  service_members: { instance: string; service_group: string };
  /** Chain and private key are files: a copy of the database gives nobody a key. */
  certificates: {
    uuid: string;
    sequence: Generated<number>;
    account: string;
    name: string;
    common_name: string;
    created_at: number;
  };
  /** Sequences of what was deleted, so that a page cursor outlives it. */
  deleted_service_resources: { uuid: string; sequence: number; deleted_at: number };
}
