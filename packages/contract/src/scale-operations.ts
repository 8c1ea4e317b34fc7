/** Autoscale: its part of the operations table. */
import type { TObject, TSchema } from "typebox";
import type { HttpMethod, Operation } from "./operations.ts";
import { referenceLists } from "./queries.ts";
import {
  AutoscaleGroup,
  ChangedAutoscale,
  CreateScalePolicyBody,
  DeleteScalePolicyBody,
  SetAutoscaleBody,
  ShownScalePolicy,
} from "./resources/autoscale.ts";
import { bulk } from "./resources/instance-requests.ts";
import { NameOrUuid } from "./resources/reference.ts";
import { request } from "./schema.ts";

const noQuery = request({});

type About = readonly [method: HttpMethod, path: string, summary: string];

const operation = (
  [method, path, summary]: About,
  dataKey: "service_groups" | "policies",
  item: TSchema,
  { query = noQuery, body, bodyRequired = false }: Partial<Operation> & { query?: TObject } = {},
) => ({ method, path, summary, query, bodyRequired, dataKey, item, ...(body === undefined ? {} : { body }) });

const all = "/v1/services/autoscale";
const one = "/v1/services/{uuid}/autoscale";
const policies = `${one}/policies`;
const onePolicy = `${policies}/{name}`;
const groupKey = "service_groups";

const required = (body: TSchema) => ({ body, bodyRequired: true });

export const scaleOperations = {
  createAutoscaleConfigurations: operation(
    ["POST", all, "Let the members of service groups follow their load"],
    groupKey,
    ChangedAutoscale,
    required(bulk(SetAutoscaleBody)),
  ),
  getAutoscaleConfigurations: operation(
    ["GET", all, "List configurations, or look some up"],
    groupKey,
    AutoscaleGroup,
    { query: request(referenceLists), body: bulk(NameOrUuid) },
  ),
  deleteAutoscaleConfigurations: operation(
    ["DELETE", all, "Delete, with the members that were made"],
    groupKey,
    ChangedAutoscale,
    required(bulk(NameOrUuid)),
  ),
  createAutoscaleConfigurationByServiceGroupUuid: operation(
    ["POST", one, "Let the members of a service group follow its load"],
    groupKey,
    ChangedAutoscale,
    required(SetAutoscaleBody),
  ),
  getAutoscaleConfigurationsByServiceGroupUuid: operation(
    ["GET", one, "One configuration"],
    groupKey,
    AutoscaleGroup,
  ),
  deleteAutoscaleConfigurationsByServiceGroupUuid: operation(
    ["DELETE", one, "Delete, with the members that were made"],
    groupKey,
    ChangedAutoscale,
  ),
  createAutoscaleConfigurationPolicy: operation(
    ["POST", policies, "Add a policy"],
    "policies",
    ChangedAutoscale,
    required(CreateScalePolicyBody),
  ),
  getAutoscaleConfigurationPolicies: operation(
    ["GET", policies, "Policies of a configuration"],
    "policies",
    ShownScalePolicy,
  ),
  deleteAutoscaleConfigurationPolicies: operation(
    ["DELETE", policies, "Delete a policy"],
    "policies",
    ChangedAutoscale,
    required(DeleteScalePolicyBody),
  ),
  getAutoscaleConfigurationPolicyByName: operation(
    ["GET", onePolicy, "One policy"],
    "policies",
    ShownScalePolicy,
  ),
  deleteAutoscaleConfigurationPolicyByName: operation(
    ["DELETE", onePolicy, "Delete a policy"],
    "policies",
    ChangedAutoscale,
  ),
} as const satisfies Record<string, Operation>;
