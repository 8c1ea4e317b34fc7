/** The specification of an instance that is made of another one's memory or disk. Pure. */
import type { CreateInstanceRequest } from "@uni/contract/resources/instance";
import { refusePassing, settingsOf } from "./create-spec.ts";
import type { InstanceSpec } from "./record.ts";

/** What runs is the model's; what surrounds it is the request's, or the model's where the request says nothing against it. */
export function inheritSpec(model: InstanceSpec, request: CreateInstanceRequest): InstanceSpec {
  const asked = settingsOf(request);
  const isPassing = asked.features.includes("delete-on-stop");
  const keepsRestarts = request.restart_policy === undefined && !isPassing;
  const spec: InstanceSpec = {
    ...model,
    restartPolicy: keepsRestarts ? model.restartPolicy : asked.restartPolicy,
    restartLimit: keepsRestarts ? model.restartLimit : asked.restartLimit,
    features: request.features === undefined ? model.features : asked.features,
    annotations: { ...model.annotations, ...asked.annotations },
    gracePeriodMs: request.grace_period_s === undefined ? model.gracePeriodMs : asked.gracePeriodMs,
    nameserver: asked.nameserver ?? model.nameserver,
    scaleToZero: asked.scaleToZero ?? (isPassing ? null : model.scaleToZero),
    tags: asked.tags,
    deleteLock: asked.deleteLock,
    hostname: asked.hostname,
    ports: asked.ports,
    preparation: false,
    forkedFrom: null,
    forkFamily: null,
    scaledFor: null,
    replaces: null,
  };
  refusePassing(spec);
  return spec;
}
