import type { Generated } from "kysely";

/** Tables of templates and checkpoints. Their names are unique together with those of instances. */
export interface SavedTables {
  saved_instances: {
    uuid: string;
    sequence: Generated<number>;
    account: string;
    kind: string;
    name: string;
    created_at: number;
    content: string;
  };
  /** Sequences of what was deleted, so that a page cursor outlives it. */
  deleted_saved_instances: { uuid: string; sequence: number; deleted_at: number };
}
