import type { AccountId, InstanceId } from "@uni/contract/ids";
import type { InstanceSpec, SnapshotFacts } from "../instances/record.ts";

export type SavedKind = "template" | "checkpoint";

export interface SavedContent {
  /** What an instance made of it inherits; its tags and delete lock are those of the saved one itself. */
  readonly spec: InstanceSpec;
  /** The instance that it was, or was taken of. */
  readonly takenOf: InstanceId;
  /** Null: instances of it start cold. */
  readonly snapshot: SnapshotFacts | null;
  /** Its disk; null: nothing was written. */
  readonly layer: string | null;
  /** Milliseconds since it was last used for an instance; 0: it stays. */
  readonly autokillMs: number;
  readonly usedAt: number;
}

/** A template or a checkpoint: an instance at one instant, without machine, address or owner. */
export interface SavedInstance {
  /** A template has that of the instance that it was. */
  readonly id: InstanceId;
  readonly sequence: number;
  readonly account: AccountId;
  readonly kind: SavedKind;
  readonly name: string;
  readonly createdAt: number;
  readonly content: SavedContent;
}

export type NewSaved = Omit<SavedInstance, "sequence">;
