/** Templates and checkpoints: their part of the operations table. */
import Type, { type TObject, type TSchema } from "typebox";
import type { HttpMethod, Operation } from "./operations.ts";
import { detailsMember, ListQuery, referenceLists } from "./queries.ts";
import { Instance } from "./resources/instance.ts";
import { bulk } from "./resources/instance-requests.ts";
import { InstanceHistory } from "./resources/instance-results.ts";
import { NameOrUuid } from "./resources/reference.ts";
import {
  CreateCheckpointsItem,
  CreatedSaved,
  CreateTemplatesItem,
  DeletedSaved,
  UpdatedSaved,
  UpdateSavedBody,
  UpdateSavedItem,
} from "./resources/saved-instance.ts";
import { request } from "./schema.ts";

const DetailsQuery = request({ details: Type.Optional(detailsMember) });
const ReferencesQuery = request(referenceLists);
const noQuery = request({});

type About = readonly [method: HttpMethod, path: string, summary: string];

const operation = (
  [method, path, summary]: About,
  item: TSchema,
  { query = noQuery, body, bodyRequired = false }: Partial<Operation> & { query?: TObject } = {},
) => ({
  method,
  path,
  summary,
  query,
  bodyRequired,
  dataKey: "instances",
  item,
  ...(body === undefined ? {} : { body }),
});

const templates = "/v1/instances/templates";
const oneTemplate = `${templates}/{uuid}`;
const checkpoints = "/v1/instances/checkpoints";
const oneCheckpoint = `${checkpoints}/{uuid}`;

const required = (body: TSchema) => ({ body, bodyRequired: true });
const listed = { query: ListQuery, body: bulk(NameOrUuid) };

export const savedOperations = {
  createTemplateInstances: operation(
    ["POST", templates, "Make templates of instances, which end"],
    CreatedSaved,
    required(bulk(CreateTemplatesItem)),
  ),
  getTemplateInstances: operation(["GET", templates, "List templates, or look some up"], Instance, listed),
  updateTemplateInstances: operation(
    ["PATCH", templates, "Change properties"],
    UpdatedSaved,
    required(bulk(UpdateSavedItem)),
  ),
  deleteTemplateInstances: operation(
    ["DELETE", templates, "Delete"],
    DeletedSaved,
    required(bulk(NameOrUuid)),
  ),
  getTemplateInstanceByUuid: operation(["GET", oneTemplate, "One template"], Instance, {
    query: DetailsQuery,
  }),
  updateTemplateInstanceByUuid: operation(
    ["PATCH", oneTemplate, "Change a property"],
    UpdatedSaved,
    required(UpdateSavedBody),
  ),
  deleteTemplateInstanceByUuid: operation(["DELETE", oneTemplate, "Delete"], DeletedSaved),

  createCheckpointInstances: operation(
    ["POST", checkpoints, "Keep instances as they are now; they go on"],
    CreatedSaved,
    required(bulk(CreateCheckpointsItem)),
  ),
  getCheckpointInstances: operation(
    ["GET", checkpoints, "List checkpoints, or look some up"],
    Instance,
    listed,
  ),
  updateCheckpointInstances: operation(
    ["PATCH", checkpoints, "Change properties"],
    UpdatedSaved,
    required(bulk(UpdateSavedItem)),
  ),
  deleteCheckpointInstances: operation(
    ["DELETE", checkpoints, "Delete"],
    DeletedSaved,
    required(bulk(NameOrUuid)),
  ),
  getCheckpointHistory: operation(
    ["GET", `${checkpoints}/history`, "Checkpoints they came from"],
    InstanceHistory,
    { query: ReferencesQuery, body: bulk(NameOrUuid) },
  ),
  getCheckpointInstanceByUuid: operation(["GET", oneCheckpoint, "One checkpoint"], Instance, {
    query: DetailsQuery,
  }),
  updateCheckpointInstanceByUuid: operation(
    ["PATCH", oneCheckpoint, "Change a property"],
    UpdatedSaved,
    required(UpdateSavedBody),
  ),
  deleteCheckpointInstanceByUuid: operation(["DELETE", oneCheckpoint, "Delete"], DeletedSaved),
  getCheckpointHistoryByUuid: operation(
    ["GET", `${oneCheckpoint}/history`, "Checkpoints it came from"],
    InstanceHistory,
  ),
} as const satisfies Record<string, Operation>;
