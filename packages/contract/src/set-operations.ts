/** Several instances at one instant, which the vendor's API cannot say: their part of the operations table. */
import type { TSchema } from "typebox";
import type { HttpMethod, Operation } from "./operations.ts";
import { Instance } from "./resources/instance.ts";
import { BranchSetBody, CheckpointSetBody, RewindSetBody } from "./resources/instance-set.ts";
import { request } from "./schema.ts";

const operation = (path: string, summary: string, body: TSchema) => ({
  method: "PUT" as HttpMethod,
  path: `/v1/instances/${path}`,
  summary,
  query: request({}),
  body,
  bodyRequired: true,
  dataKey: "instances",
  item: Instance,
});

export const setOperations = {
  branchInstances: operation(
    "branch",
    "Uni: copy instances as they are at one instant; they go on",
    BranchSetBody,
  ),
  checkpointInstances: operation(
    "checkpoint",
    "Uni: keep instances as they are at one instant; they go on",
    CheckpointSetBody,
  ),
  rewindInstances: operation(
    "rewind",
    "Uni: take instances back to what checkpoints of them hold, all together",
    RewindSetBody,
  ),
} as const satisfies Record<string, Operation>;
