/** What the files of this room share: one store directory and the bounds on what goes into it. */
import type { Digest } from "@uni/contract/ids";
import type { Clock } from "../base/clock.ts";
import type { KeyedQueue } from "../base/keyed-queue.ts";
import type { Log } from "../base/log.ts";
import type { BlobStore } from "./blob-store.ts";
import type { Catalogue, RepositoryCatalogue } from "./catalogue.ts";
import type { Leases } from "./leases.ts";
import type { ImageLimits } from "./limits.ts";
import type { PartialBlobs } from "./partial-blobs.ts";
import type { PulledReferences } from "./prune-pulled.ts";
import type { Roots } from "./roots.ts";
import type { Scratch } from "./scratch.ts";
import type { Tenant } from "./tenancy/tenant.ts";

export interface Room {
  readonly clock: Clock;
  readonly log: Log;
  /** As the tenant sees them; see tenancy/view.ts. */
  readonly catalogue: Catalogue;
  readonly repositories: RepositoryCatalogue;
  readonly tenant: Tenant;
  /** Of everybody, under the names that are kept: for what looks after the whole store. */
  readonly all: { readonly catalogue: Catalogue; readonly repositories: RepositoryCatalogue };
  readonly pulled: PulledReferences;
  readonly blobs: BlobStore;
  readonly partials: PartialBlobs;
  readonly roots: Roots;
  readonly scratch: Scratch;
  readonly leases: Leases;
  /** The image of a target that was pushed, made if need be. */
  readonly prepared: (target: Digest) => Promise<Digest>;
  readonly limits: ImageLimits;
  /** This machine's, as images name it. */
  readonly architecture: string;
  /** Rows are written, and garbage is looked for, one after the other: else a sweep could miss a row just written. */
  readonly catalogueQueue: KeyedQueue<"catalogue">;
}
