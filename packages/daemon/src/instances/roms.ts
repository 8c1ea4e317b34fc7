/** ROMs of an instance: what is on them, and which of its machine's disks they are. Pure. */
import { UniError } from "@uni/contract/errors";
import { limits } from "@uni/contract/limits";
import type { GuestRom } from "../guest/port.ts";
import { maxRomSlots } from "../vmm/port.ts";
import type { InstanceRecord, InstanceSpec, PendingUpdate, SnapshotFacts } from "./record.ts";

/** `image:<digest>`, or `files:<id>` of those that were given one by one. */
export type RomContent = `image:${string}` | `files:${string}`;

export interface Rom {
  readonly name: string;
  /** Null: a device, and mounted nowhere. */
  readonly at: string | null;
  readonly content: RomContent;
  readonly source:
    | { readonly image: string }
    | { readonly files: readonly { readonly path: string; readonly bytes: number }[] };
}

/** A disk that a machine has, or that its memory knows. */
export interface AttachedRom {
  readonly slot: number;
  readonly content: RomContent;
}

/** Those of `more` in place of the ones of the same names. */
export function mergeRoms(roms: readonly Rom[], more: readonly Rom[]): readonly Rom[] {
  const names = new Set(more.map(({ name }) => name));
  return checkedRoms([...roms.filter(({ name }) => !names.has(name)), ...more]);
}

function checkedRoms(roms: readonly Rom[]): readonly Rom[] {
  if (roms.length <= limits.roms) return roms;
  throw new UniError(
    "too_many",
    `give the instance ROMs: ${roms.length} are over the limit of ${limits.roms}`,
  );
}

/** What is replaced gets another slot: the guest's memory may still know the former one. */
export function planRoms(
  attached: readonly AttachedRom[],
  wanted: readonly Rom[],
): { readonly machine: readonly AttachedRom[]; readonly guest: readonly GuestRom[] } {
  const machine = [...attached];
  const unused = [...attached];
  const guest = wanted.map(({ name, at, content }): GuestRom => {
    const index = unused.findIndex((one) => one.content === content);
    const [known] = index < 0 ? [] : unused.splice(index, 1);
    const slot = known?.slot ?? freeSlot(machine);
    if (known === undefined) machine.push({ slot, content });
    return { name, slot, ...(at === null ? {} : { at }) };
  });
  return { machine, guest };
}

function freeSlot(machine: readonly AttachedRom[]): number {
  const taken = new Set(machine.map(({ slot }) => slot));
  const free = Array.from({ length: maxRomSlots }, (_, slot) => slot).find((slot) => !taken.has(slot));
  // Twice as many as an instance may have: those in use, and one for each that is new.
  if (free === undefined) throw new UniError("internal", "attach a ROM: its machine has no slot left");
  return free;
}

/** Once the guest has been told of those that are wanted. */
export function romsInUse(attached: readonly AttachedRom[], wanted: readonly Rom[]): readonly AttachedRom[] {
  const { machine, guest } = planRoms(attached, wanted);
  return machine.filter(({ slot }) => guest.some((rom) => rom.slot === slot));
}

export const isPendingRoms = ({ prop, status }: PendingUpdate): boolean =>
  prop === "roms" && status === "pending";

/** Its machine has a disk for each that it is to have. */
export const hasDisksOf = ({ spec, status }: InstanceRecord): boolean =>
  planRoms(status.roms, spec.roms).machine.length === status.roms.length;

/** Everything that an instance, or one made of it, may still need. */
export function romContentsOf(
  spec: Pick<InstanceSpec, "roms">,
  snapshot: SnapshotFacts | null,
  status?: Pick<InstanceRecord["status"], "roms" | "updates">,
): RomContent[] {
  const updates = status?.updates.filter((update) => isPendingRoms(update) && update.op !== "del") ?? [];
  const pending = updates.flatMap(({ value }) => value as readonly Rom[]);
  const all = [...spec.roms, ...pending, ...(snapshot?.roms ?? []), ...(status?.roms ?? [])];
  return all.map(({ content }) => content);
}

export const romContentsOfRecord = ({ spec, status }: InstanceRecord): RomContent[] =>
  romContentsOf(spec, status.origin?.snapshot ?? null, status);

/** The ids of those that are made of files. */
export const filesOf = (contents: readonly RomContent[]): string[] =>
  contents.filter((content) => content.startsWith("files:")).map((content) => content.slice("files:".length));
