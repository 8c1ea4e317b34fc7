/** A template or checkpoint as the wire shows it: an instance without machine and address. */
import type { Accelerator } from "@uni/contract/enums";
import type { Instance } from "@uni/contract/resources/instance";
import { viewProgram } from "../instances/view.ts";
import type { NewSaved } from "./record.ts";

export function viewSaved({ id, name, createdAt, kind, content }: NewSaved): Instance {
  const { spec, snapshot, autokillMs } = content;
  const autokill = { time_ms: autokillMs };
  return {
    uuid: id,
    name,
    created_at: new Date(createdAt).toISOString(),
    state: kind,
    ...viewProgram(spec),
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
