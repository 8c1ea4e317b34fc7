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
  /** Certificates that an authority issues by ACME; all others were uploaded. */
  acme_certificates: {
    certificate: string;
    /** Attempts in a row that failed. */
    failures: number;
    next_at: number;
    /** Of the last failure, for people. */
    reason: string | null;
    /** Address of the order that is under way. */
    order_url: string | null;
    /** JSON: what was put where the authority looks for it, and is to be taken away. */
    proof: string | null;
  };
  /** How many members a group gets, and of what: JSON. */
  autoscale: { service_group: string; content: string };
  /** Sequences of what was deleted, so that a page cursor outlives it. */
  deleted_service_resources: { uuid: string; sequence: number; deleted_at: number };
}
