/** Who needs an image or a kernel: instances, and what is kept to make instances of. By name. */
import type { AccountId, Digest } from "@uni/contract/ids";
import type { Pins } from "../images/pins/pins.ts";
import type { InstanceRecord } from "../instances/record.ts";
import type { Registry } from "../instances/registry.ts";
import { romContentsOfRecord } from "../instances/roms.ts";
import { romContentsOfSaved } from "../snapshots/references.ts";
import type { SavedInstances } from "../snapshots/saved-instances.ts";

export interface Users {
  readonly pins: Pick<Pins, "holding">;
  readonly registry: Pick<Registry, "all">;
  readonly saved: Pick<SavedInstances, "all">;
}

/** Of an image; a pin of it is one. Those of the account, or of any. */
export const imageUsers = (users: Users, digest: Digest, account?: AccountId): string[] => [
  ...instancesOf(users, digest, account),
  ...users.pins.holding(digest, account),
];

export const instancesOf = (
  { registry, saved }: Omit<Users, "pins">,
  digest: Digest,
  account?: AccountId,
): string[] => [
  ...registry
    .all()
    .filter((record) => account === undefined || record.account === account)
    .filter(
      (record) =>
        record.spec.imageDigest === digest || romContentsOfRecord(record).includes(`image:${digest}`),
    )
    .map(({ name }) => name),
  ...saved
    .all()
    .filter((each) => account === undefined || each.account === account)
    .filter(
      (each) =>
        each.content.spec.imageDigest === digest || romContentsOfSaved(each).includes(`image:${digest}`),
    )
    .map(({ name }) => name),
];

export type KernelUsers = Omit<Users, "pins">;

export const kernelUsers = ({ registry, saved }: KernelUsers, version: string): string[] => [
  ...registry
    .all()
    .filter((record) => kernelOf(record) === version)
    .map(({ name }) => name),
  ...saved
    .all()
    .filter(({ content }) => content.snapshot?.kernel === version)
    .map(({ name }) => name),
];

/** That of its machine, or of the memory that waits for its start. */
function kernelOf({ status }: InstanceRecord): string | null {
  if (status.state !== "stopped") return status.kernel;
  return status.origin?.snapshot?.kernel ?? null;
}
