/**
 * Method and path of every operation by its id. The contract's own table says the same and much more, but brings its
 * schemas along, which would double the time that `uni` takes to start; a test holds the two together.
 */
export const operationPaths = {
  createInstance: "POST /v1/instances",
  getInstances: "GET /v1/instances",
  updateInstances: "PATCH /v1/instances",
  deleteInstances: "DELETE /v1/instances",
  getInstanceHistory: "GET /v1/instances/history",
  getInstanceLogs: "GET /v1/instances/log",
  getInstanceMetrics: "GET /v1/instances/metrics",
  startInstances: "PUT /v1/instances/start",
  stopInstances: "PUT /v1/instances/stop",
  suspendInstances: "PUT /v1/instances/suspend",
  waitInstances: "GET /v1/instances/wait",
  getInstanceByUuid: "GET /v1/instances/{uuid}",
  updateInstanceByUuid: "PATCH /v1/instances/{uuid}",
  deleteInstanceByUuid: "DELETE /v1/instances/{uuid}",
  getInstanceHistoryByUuid: "GET /v1/instances/{uuid}/history",
  getInstanceLogsByUuid: "GET /v1/instances/{uuid}/log",
  getInstanceMetricsByUuid: "GET /v1/instances/{uuid}/metrics",
  startInstanceByUuid: "PUT /v1/instances/{uuid}/start",
  stopInstanceByUuid: "PUT /v1/instances/{uuid}/stop",
  suspendInstanceByUuid: "PUT /v1/instances/{uuid}/suspend",
  waitInstanceByUuid: "GET /v1/instances/{uuid}/wait",
  createTemplateInstances: "POST /v1/instances/templates",
  getTemplateInstances: "GET /v1/instances/templates",
  updateTemplateInstances: "PATCH /v1/instances/templates",
  deleteTemplateInstances: "DELETE /v1/instances/templates",
  getTemplateInstanceByUuid: "GET /v1/instances/templates/{uuid}",
  updateTemplateInstanceByUuid: "PATCH /v1/instances/templates/{uuid}",
  deleteTemplateInstanceByUuid: "DELETE /v1/instances/templates/{uuid}",
  createCheckpointInstances: "POST /v1/instances/checkpoints",
  getCheckpointInstances: "GET /v1/instances/checkpoints",
  updateCheckpointInstances: "PATCH /v1/instances/checkpoints",
  deleteCheckpointInstances: "DELETE /v1/instances/checkpoints",
  getCheckpointHistory: "GET /v1/instances/checkpoints/history",
  getCheckpointInstanceByUuid: "GET /v1/instances/checkpoints/{uuid}",
  updateCheckpointInstanceByUuid: "PATCH /v1/instances/checkpoints/{uuid}",
  deleteCheckpointInstanceByUuid: "DELETE /v1/instances/checkpoints/{uuid}",
  getCheckpointHistoryByUuid: "GET /v1/instances/checkpoints/{uuid}/history",
  branchInstances: "PUT /v1/instances/branch",
  checkpointInstances: "PUT /v1/instances/checkpoint",
  rewindInstances: "PUT /v1/instances/rewind",
  createServiceGroup: "POST /v1/services",
  getServiceGroups: "GET /v1/services",
  updateServiceGroups: "PATCH /v1/services",
  deleteServiceGroups: "DELETE /v1/services",
  getServiceGroupByUuid: "GET /v1/services/{uuid}",
  updateServiceGroupByUuid: "PATCH /v1/services/{uuid}",
  deleteServiceGroupByUuid: "DELETE /v1/services/{uuid}",
  createCertificate: "POST /v1/certificates",
  getCertificates: "GET /v1/certificates",
  updateCertificates: "PUT /v1/certificates",
  deleteCertificates: "DELETE /v1/certificates",
  getCertificateByUuid: "GET /v1/certificates/{uuid}",
  updateCertificateByUuid: "PUT /v1/certificates/{uuid}",
  deleteCertificateByUuid: "DELETE /v1/certificates/{uuid}",
  createAutoscaleConfigurations: "POST /v1/services/autoscale",
  getAutoscaleConfigurations: "GET /v1/services/autoscale",
  deleteAutoscaleConfigurations: "DELETE /v1/services/autoscale",
  createAutoscaleConfigurationByServiceGroupUuid: "POST /v1/services/{uuid}/autoscale",
  getAutoscaleConfigurationsByServiceGroupUuid: "GET /v1/services/{uuid}/autoscale",
  deleteAutoscaleConfigurationsByServiceGroupUuid: "DELETE /v1/services/{uuid}/autoscale",
  createAutoscaleConfigurationPolicy: "POST /v1/services/{uuid}/autoscale/policies",
  getAutoscaleConfigurationPolicies: "GET /v1/services/{uuid}/autoscale/policies",
  deleteAutoscaleConfigurationPolicies: "DELETE /v1/services/{uuid}/autoscale/policies",
  getAutoscaleConfigurationPolicyByName: "GET /v1/services/{uuid}/autoscale/policies/{name}",
  deleteAutoscaleConfigurationPolicyByName: "DELETE /v1/services/{uuid}/autoscale/policies/{name}",
  getImages: "GET /v1/images",
  pinImages: "POST /v1/images",
  unpinImages: "DELETE /v1/images",
  getImageStore: "GET /v1/image-store",
  getUser: "GET /v1/users/quotas",
  getUserByUuid: "GET /v1/users/{uuid}/quotas",
  listMetros: "GET /v1/metros",
  healthz: "GET /v1/healthz",
} as const satisfies Record<string, string>;

export type OperationName = keyof typeof operationPaths;

export const isOperation = (id: string): id is OperationName => Object.hasOwn(operationPaths, id);

export interface MatchedOperation {
  readonly id: OperationName;
  /** Members of its path. */
  readonly params: Readonly<Record<string, string>>;
}

function matchPath(pattern: string, path: string): Record<string, string> | undefined {
  const wanted = pattern.split("/");
  const given = path.replace(/\/+$/, "").split("/");
  if (wanted.length !== given.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const text = given[index] ?? "";
    const name = /^\{(\w+)\}$/.exec(part)?.[1];
    if (name !== undefined) params[name] = decodeURIComponent(text);
    else if (part !== text) return undefined;
  }
  return params;
}

/** The operation that a method and a path name; a fixed path wins over one with a {uuid}. */
export function matchOperation(method: string, path: string): MatchedOperation | undefined {
  let found: MatchedOperation | undefined;
  for (const [id, text] of Object.entries(operationPaths)) {
    const [verb, pattern = ""] = text.split(" ");
    const params = verb === method ? matchPath(pattern, path) : undefined;
    if (params === undefined) continue;
    const match = { id: id as OperationName, params };
    if (Object.keys(params).length === 0) return match;
    found ??= match;
  }
  return found;
}
