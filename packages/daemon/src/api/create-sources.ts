/** What an instance may be made of, other than an image, and what then is no longer to be chosen. */
import { UniError } from "@uni/contract/errors";
import type { CreateInstanceRequest } from "@uni/contract/resources/instance";
import { readReference } from "./references.ts";

const sources = ["template", "branch_from", "checkpoint"] as const;
type Source = (typeof sources)[number];

/** Given by the memory and the disk that it is made of. */
const fixed = [
  "args",
  "env",
  "memory_mb",
  "vcpus",
  "entrypoint",
  "user",
  "working_directory",
  "tty",
  "stdin_open",
  "type",
  "gpus",
] as const satisfies readonly (keyof CreateInstanceRequest)[];

export const sourceOf = (given: CreateInstanceRequest): Source | undefined =>
  sources.find((source) => given[source] !== undefined);

const exclusive = (message: string) => new UniError("exclusive", message);

export function refuseMixedSources(given: CreateInstanceRequest): void {
  const source = sourceOf(given);
  if (source === undefined) return;
  if (given.branch_from !== undefined && given.template !== undefined) {
    throw exclusive("Cannot specify 'branch_from' when creating an instance from a template");
  }
  for (const other of ["image", ...sources] as const) {
    if (other === source || given[other] === undefined) continue;
    throw exclusive(`Cannot specify '${other}' when '${source}' is set`);
  }
  for (const member of fixed) {
    if (given[member] === undefined) continue;
    throw exclusive(
      source === "branch_from"
        ? `Cannot specify '${member}' when branching from an existing instance`
        : `Cannot specify '${member}' when '${source}' is set`,
    );
  }
  if (given.branch_from !== undefined) readReference(given.branch_from);
  if (given.checkpoint !== undefined) readReference(given.checkpoint);
}

export function refuseTemplateContradictions(part: NonNullable<CreateInstanceRequest["template"]>): void {
  if (part.prepare !== true) {
    readReference(part);
    for (const member of ["create_args", "autokill", "prepare_timeout_s"] as const) {
      if (part[member] !== undefined) throw exclusive(`Member '${member}' needs 'prepare' to be true`);
    }
    return;
  }
  if (part.uuid !== undefined) throw exclusive("Cannot specify 'uuid' when 'prepare' is set");
  if (part.create_args === undefined) throw new UniError("invalid_value", "Missing member 'create_args'");
}
