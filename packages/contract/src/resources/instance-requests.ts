/** Bodies of the instance operations besides create: what one item of a bulk call and the body of a by-uuid call hold. */
import Type, { type Static } from "typebox";
import { instanceStates } from "../enums.ts";
import { limits } from "../limits.ts";
import { integer, type list, request, timeoutS, waitTimeoutMs, words } from "../schema.ts";
import { CreateInstanceRequest, InstanceUpdate } from "./instance.ts";
import { updateBodies } from "./property-update.ts";
import { referenceMembers } from "./reference.ts";

const startMembers = {
  timeout_s: Type.Optional(timeoutS),
  wait_timeout_ms: Type.Optional(waitTimeoutMs),
  cold: Type.Optional(Type.Boolean({ description: "Uni: of one in standby, boot and drop its memory" })),
};
export const StartInstanceBody = request(startMembers);
export const StartInstancesItem = request({ ...referenceMembers, ...startMembers });
export type StartInstancesItem = Static<typeof StartInstancesItem>;

const stopMembers = {
  force: Type.Optional(Type.Boolean({ description: "Kill at once" })),
  drain_timeout_ms: Type.Optional(integer("0: none; -1: the most that is allowed", limits.drainMs)),
  quick: Type.Optional(Type.Boolean({ description: "Without grace; force wins" })),
  ifstate: Type.Optional(words(instanceStates, "Only act in this state")),
  dump: Type.Optional(Type.Boolean({ description: "Core dump; only together with force" })),
  grace_period_s: Type.Optional(integer("Uni: seconds between the stop signal and SIGKILL", limits.graceS)),
  timeout_s: Type.Optional(timeoutS),
};
export const StopInstanceBody = request(stopMembers);
export const StopInstancesItem = request({ ...referenceMembers, ...stopMembers });
export type StopInstancesItem = Static<typeof StopInstancesItem>;

const suspendMembers = {
  drain_timeout_ms: Type.Optional(
    integer("0: at once; -1 or absent: until no connection is open", limits.drainMs),
  ),
  timeout_s: Type.Optional(timeoutS),
};
export const SuspendInstanceBody = request(suspendMembers);
export const SuspendInstancesItem = request({ ...referenceMembers, ...suspendMembers });
export type SuspendInstancesItem = Static<typeof SuspendInstancesItem>;

const deleteMembers = {
  timeout_s: Type.Optional(timeoutS),
  dont_retain: Type.Optional(Type.Boolean({ description: "Accepted; deletion is final in any case" })),
};
export const DeleteInstanceBody = request(deleteMembers);
export const DeleteInstancesItem = request({ ...referenceMembers, ...deleteMembers });
export type DeleteInstancesItem = Static<typeof DeleteInstancesItem>;

export const { body: UpdateInstanceBody, item: UpdateInstancesItem } = updateBodies(InstanceUpdate);
export type UpdateInstancesItem = Static<typeof UpdateInstancesItem>;

const logMembers = {
  offset: Type.Optional(
    Type.Integer({
      minimum: Number.MIN_SAFE_INTEGER,
      maximum: Number.MAX_SAFE_INTEGER,
      description: "Byte offset; negative counts from the end; default -4096",
    }),
  ),
  limit: Type.Optional(integer("Bytes at most; default 4096", limits.logBytes)),
};
export const LogInstanceBody = request(logMembers);
export const LogInstancesItem = request({ ...referenceMembers, ...logMembers });
export type LogInstancesItem = Static<typeof LogInstancesItem>;

const waitMembers = {
  state: Type.Optional(words(instanceStates, "Default running")),
  timeout_s: Type.Optional(timeoutS),
  timeout_ms: Type.Optional(waitTimeoutMs),
};
export const WaitInstanceBody = request(waitMembers);
export const WaitInstancesItem = request({ ...referenceMembers, ...waitMembers });
export type WaitInstancesItem = Static<typeof WaitInstancesItem>;

const atLeastOne = { minItems: 1, maxItems: limits.arrayItems };
/** One object, or a list of them. */
export const CreateInstancesBody = Type.Union([
  CreateInstanceRequest,
  Type.Array(CreateInstanceRequest, atLeastOne),
]);

export const bulk = <T extends Parameters<typeof list>[0]>(item: T) => Type.Array(item, atLeastOne);
