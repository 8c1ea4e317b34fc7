/** A template or checkpoint as the wire shows it: an instance without machine and address. */
import type { Accelerator } from "@uni/contract/enums";
import type { Instance } from "@uni/contract/resources/instance";
import { resolvedReference } from "../instances/view.ts";
import type { NewSaved } from "./record.ts";

export function viewSaved({ id, name, createdAt, kind, content }: NewSaved): Instance {
  const { spec, snapshot, autokillMs } = content;
  const autokill = { time_ms: autokillMs };
  return {
    uuid: id,
    name,
    created_at: new Date(createdAt).toISOString(),
    state: kind,
    image: resolvedReference(spec),
    image_ref: spec.imageReference,
    memory_mb: spec.memoryMb,
    vcpus: spec.vcpus,
    args: spec.args === null ? undefined : [...spec.args],
    entrypoint: spec.entrypoint === null ? undefined : [...spec.entrypoint],
    env: { ...spec.env },
    user: spec.user ?? undefined,
    working_directory: spec.workingDirectory ?? undefined,
    restart_policy: spec.restartPolicy,
    tags: [...spec.tags],
    annotations: { ...spec.annotations },
    delete_lock: spec.deleteLock,
    features: [...spec.features],
    type: "micro",
    snapshot: snapshot === null ? undefined : { uuid: snapshot.id },
    accelerator: (snapshot?.accelerator ?? undefined) as Accelerator | undefined,
    kernel: snapshot?.kernel ?? undefined,
    ...(kind === "template" ? { template_autokill: autokill } : { checkpoint_autokill: autokill }),
  };
}
