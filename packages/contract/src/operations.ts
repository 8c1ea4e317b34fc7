/**
 * The table of the REST API. Routes, OpenAPI document, JSON-RPC names and clients are derived from it. Ids are those of
 * the published SDK. Order matters nowhere: a fixed path always wins over one with {uuid}.
 */
import Type, { type TObject, type TSchema } from "typebox";
import { detailsMember, ListQuery, referenceLists } from "./queries.ts";
import { Image, PinImageItem, PinnedImage, UnpinImageItem, UnpinnedImage } from "./resources/image.ts";
import { Instance } from "./resources/instance.ts";
import {
  bulk,
  CreateInstancesBody,
  DeleteInstanceBody,
  DeleteInstancesItem,
  LogInstanceBody,
  LogInstancesItem,
  StartInstanceBody,
  StartInstancesItem,
  StopInstanceBody,
  StopInstancesItem,
  SuspendInstanceBody,
  SuspendInstancesItem,
  UpdateInstanceBody,
  UpdateInstancesItem,
  WaitInstanceBody,
  WaitInstancesItem,
} from "./resources/instance-requests.ts";
import {
  DeletedInstance,
  InstanceHistory,
  LoggedInstance,
  MeasuredInstance,
  TransitionedInstance,
  UpdatedInstance,
  WaitedInstance,
} from "./resources/instance-results.ts";
import { HealthzData, Metro, Quotas } from "./resources/node.ts";
import { NameOrUuid } from "./resources/reference.ts";
import { savedOperations } from "./saved-operations.ts";
import { scaleOperations } from "./scale-operations.ts";
import { list, request } from "./schema.ts";
import { serviceOperations } from "./service-operations.ts";
import { setOperations } from "./set-operations.ts";

export type HttpMethod = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

export interface Operation {
  readonly method: HttpMethod;
  /** May hold {uuid}, and behind it {name}. */
  readonly path: string;
  readonly summary: string;
  readonly query: TObject;
  /** With GET: taken instead of the query, as some clients send it. */
  readonly body?: TSchema;
  readonly bodyRequired: boolean;
  /** Key of the list in `data`; "" when `data` is the object itself. */
  readonly dataKey: string;
  readonly item: TSchema;
  /** Older clients send this one instead. */
  readonly olderMethod?: HttpMethod;
  /** Also served without a token. */
  readonly public?: boolean;
}

const noQuery = request({});
const DetailsQuery = request({ details: Type.Optional(detailsMember) });
const ReferencesQuery = request(referenceLists);
export const LogQuery = request({
  ...referenceLists,
  offset: Type.Optional(list(LogInstanceBody.properties.offset, "By position of the references")),
  limit: Type.Optional(list(LogInstanceBody.properties.limit, "By position of the references")),
});
export const WaitQuery = request({
  ...referenceLists,
  state: Type.Optional(list(WaitInstanceBody.properties.state, "By position of the references")),
  timeout_s: Type.Optional(list(WaitInstanceBody.properties.timeout_s, "By position of the references")),
  timeout_ms: Type.Optional(list(WaitInstanceBody.properties.timeout_ms, "By position of the references")),
});
const DeleteQuery = request({ timeout_s: DeleteInstanceBody.properties.timeout_s });
export const ImagesQuery = request({
  digest: Type.Optional(Type.String()),
  tag: Type.Optional(Type.String()),
  details: Type.Optional(Type.Boolean()),
  namespace: Type.Optional(list(Type.String(), "Ignored: one node has one namespace")),
});

const instances = "/v1/instances";
const oneInstance = "/v1/instances/{uuid}";

const read = (
  path: string,
  summary: string,
  query: TObject,
  dataKey: string,
  item: TSchema,
  body?: TSchema,
) =>
  ({
    method: "GET",
    path,
    summary,
    query,
    bodyRequired: false,
    dataKey,
    item,
    ...(body === undefined ? {} : { body }),
  }) as const;

const change = (
  method: HttpMethod,
  path: string,
  summary: string,
  body: TSchema,
  item: TSchema,
  query = noQuery,
) => ({ method, path, summary, query, body, bodyRequired: true, dataKey: "instances", item }) as const;

const changeOne = (
  method: HttpMethod,
  path: string,
  summary: string,
  body: TSchema,
  item: TSchema,
  query = noQuery,
) => ({ ...change(method, path, summary, body, item, query), bodyRequired: false }) as const;

export const operations = {
  createInstance: change("POST", instances, "Create instances", CreateInstancesBody, Instance),
  getInstances: read(
    instances,
    "List instances, or look some up",
    ListQuery,
    "instances",
    Instance,
    bulk(NameOrUuid),
  ),
  updateInstances: change(
    "PATCH",
    instances,
    "Change properties",
    bulk(UpdateInstancesItem),
    UpdatedInstance,
  ),
  deleteInstances: change(
    "DELETE",
    instances,
    "Delete",
    bulk(DeleteInstancesItem),
    DeletedInstance,
    DeleteQuery,
  ),
  getInstanceHistory: read(
    `${instances}/history`,
    "Checkpoints it came from",
    ReferencesQuery,
    "instances",
    InstanceHistory,
    bulk(NameOrUuid),
  ),
  getInstanceLogs: read(
    `${instances}/log`,
    "Console bytes",
    LogQuery,
    "instances",
    LoggedInstance,
    bulk(LogInstancesItem),
  ),
  getInstanceMetrics: read(
    `${instances}/metrics`,
    "Metrics",
    ReferencesQuery,
    "instances",
    MeasuredInstance,
    bulk(NameOrUuid),
  ),
  startInstances: change(
    "PUT",
    `${instances}/start`,
    "Start",
    bulk(StartInstancesItem),
    TransitionedInstance,
  ),
  stopInstances: change("PUT", `${instances}/stop`, "Stop", bulk(StopInstancesItem), TransitionedInstance),
  suspendInstances: change(
    "PUT",
    `${instances}/suspend`,
    "Put to sleep",
    bulk(SuspendInstancesItem),
    TransitionedInstance,
  ),
  waitInstances: read(
    `${instances}/wait`,
    "Wait for a state",
    WaitQuery,
    "instances",
    WaitedInstance,
    bulk(WaitInstancesItem),
  ),

  getInstanceByUuid: read(oneInstance, "One instance", DetailsQuery, "instances", Instance),
  updateInstanceByUuid: {
    ...changeOne("PATCH", oneInstance, "Change a property", UpdateInstanceBody, UpdatedInstance),
    bodyRequired: true,
  },
  deleteInstanceByUuid: changeOne(
    "DELETE",
    oneInstance,
    "Delete",
    DeleteInstanceBody,
    DeletedInstance,
    DeleteQuery,
  ),
  getInstanceHistoryByUuid: read(
    `${oneInstance}/history`,
    "Checkpoints it came from",
    noQuery,
    "instances",
    InstanceHistory,
  ),
  getInstanceLogsByUuid: read(
    `${oneInstance}/log`,
    "Console bytes",
    LogInstanceBody,
    "instances",
    LoggedInstance,
    LogInstanceBody,
  ),
  getInstanceMetricsByUuid: read(`${oneInstance}/metrics`, "Metrics", noQuery, "instances", MeasuredInstance),
  startInstanceByUuid: changeOne(
    "PUT",
    `${oneInstance}/start`,
    "Start",
    StartInstanceBody,
    TransitionedInstance,
  ),
  stopInstanceByUuid: changeOne("PUT", `${oneInstance}/stop`, "Stop", StopInstanceBody, TransitionedInstance),
  suspendInstanceByUuid: changeOne(
    "PUT",
    `${oneInstance}/suspend`,
    "Put to sleep",
    SuspendInstanceBody,
    TransitionedInstance,
  ),
  waitInstanceByUuid: read(
    `${oneInstance}/wait`,
    "Wait for a state",
    WaitInstanceBody,
    "instances",
    WaitedInstance,
    WaitInstanceBody,
  ),

  ...savedOperations,
  ...setOperations,
  ...serviceOperations,
  ...scaleOperations,

  getImages: read("/v1/images", "Images of the account", ImagesQuery, "images", Image),
  pinImages: {
    ...change("POST", "/v1/images", "Bring images here and keep them", bulk(PinImageItem), PinnedImage),
    dataKey: "images",
  },
  unpinImages: {
    ...change("DELETE", "/v1/images", "Keep images no longer", bulk(UnpinImageItem), UnpinnedImage),
    dataKey: "images",
  },
  getImageStore: read("/v1/image-store", "Images of the node", ImagesQuery, "images", Image),
  getUser: read("/v1/users/quotas", "Quotas of the account", noQuery, "quotas", Quotas),
  getUserByUuid: read("/v1/users/{uuid}/quotas", "Quotas of an account", noQuery, "quotas", Quotas),
  listMetros: read("/v1/metros", "Endpoints of this API", noQuery, "metros", Metro),
  healthz: { ...read("/v1/healthz", "State of the node", noQuery, "", HealthzData), public: true },
} as const satisfies Record<string, Operation>;

export type OperationId = keyof typeof operations;

/** Documented routes of features that are not there yet: answered with `not_supported`, which names the feature. */
export const plannedRoutes: readonly {
  readonly method: HttpMethod;
  readonly path: string;
  readonly feature: string;
}[] = [...routes("Volumes", family("/v1/volumes"))];

function family(path: string): string[] {
  const onOne = ["GET", "PATCH", "DELETE"].map((method) => `${method} ${path}/{uuid}`);
  return [...["GET", "POST", "PATCH", "DELETE"].map((method) => `${method} ${path}`), ...onOne];
}

function routes(feature: string, lines: readonly string[]) {
  return lines.map((line) => {
    const [method = "", path = ""] = line.split(" ");
    return { method: method as HttpMethod, path, feature };
  });
}
