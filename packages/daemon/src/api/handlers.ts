import type { OperationId } from "@uni/contract/operations";
import {
  createPolicy,
  deleteAutoscale,
  deletePolicy,
  getAutoscale,
  getPolicies,
  setAutoscale,
} from "./autoscale.ts";
import type { Call, Handler } from "./call.ts";
import {
  createCertificate,
  deleteCertificates,
  getCertificates,
  updateCertificates,
} from "./certificates.ts";
import { getImageStore, getImages, pinImages, unpinImages } from "./images.ts";
import { setHandlers } from "./instance-sets.ts";
import { deleteInstances, updateInstances } from "./instances-change.ts";
import { createInstances } from "./instances-create.ts";
import { getLogs } from "./instances-log.ts";
import { getMetrics } from "./instances-metrics.ts";
import { startInstances, stopInstances, suspendInstances } from "./instances-power.ts";
import { getHistory, getInstance, getInstances } from "./instances-read.ts";
import { waitInstances } from "./instances-wait.ts";
import { getQuotas, healthz, listMetros } from "./node.ts";
import type { ApiDependencies, SavedKind } from "./port.ts";
import {
  createCheckpoints,
  createTemplates,
  deleteSaved,
  getSaved,
  getSavedHistory,
  updateSaved,
} from "./saved-instances.ts";
import {
  createServiceGroup,
  deleteServiceGroups,
  getServiceGroups,
  updateServiceGroups,
} from "./service-groups.ts";

/** What serves each operation, whether it came over HTTP or over the socket. */
export function createHandlers(dependencies: ApiDependencies): Readonly<Record<OperationId, Handler>> {
  const { instances, images, services, certificates, node } = dependencies;
  const change: Handler = (call) => updateInstances(instances, call);
  const remove: Handler = (call) => deleteInstances(instances, call);
  const start: Handler = (call) => startInstances(instances, call);
  const stop: Handler = (call) => stopInstances(instances, call);
  const suspend: Handler = (call) => suspendInstances(instances, call);
  const wait: Handler = (call) => waitInstances(instances, call);
  const log: Handler = (call) => getLogs(instances, call);
  const metrics: Handler = (call) => getMetrics(instances, call);
  const history: Handler = (call) => getHistory(instances, call);
  const readGroups: Handler = (call) => getServiceGroups(services, call);
  const changeGroups: Handler = (call) => updateServiceGroups(services, call);
  const removeGroups: Handler = (call) => deleteServiceGroups(services, call);
  const readCertificates: Handler = (call) => getCertificates(certificates, call);
  const changeCertificates: Handler = (call) => updateCertificates(certificates, call);
  const removeCertificates: Handler = (call) => deleteCertificates(certificates, call);
  const quotas: Handler = (call) => getQuotas(node, call);
  return {
    createInstance: (call) => createInstances(instances, call),
    getInstances: (call) => getInstances(instances, call),
    getInstanceByUuid: (call) => getInstance(instances, call),
    updateInstances: change,
    updateInstanceByUuid: change,
    deleteInstances: remove,
    deleteInstanceByUuid: remove,
    startInstances: start,
    startInstanceByUuid: start,
    stopInstances: stop,
    stopInstanceByUuid: stop,
    suspendInstances: suspend,
    suspendInstanceByUuid: suspend,
    waitInstances: wait,
    waitInstanceByUuid: wait,
    getInstanceLogs: log,
    getInstanceLogsByUuid: log,
    getInstanceMetrics: metrics,
    getInstanceMetricsByUuid: metrics,
    getInstanceHistory: history,
    getInstanceHistoryByUuid: history,
    ...savedHandlers(dependencies),
    ...setHandlers(dependencies),
    createServiceGroup: (call) => createServiceGroup(services, call),
    getServiceGroups: readGroups,
    getServiceGroupByUuid: readGroups,
    updateServiceGroups: changeGroups,
    updateServiceGroupByUuid: changeGroups,
    deleteServiceGroups: removeGroups,
    deleteServiceGroupByUuid: removeGroups,
    createCertificate: (call) => createCertificate(certificates, call),
    getCertificates: readCertificates,
    getCertificateByUuid: readCertificates,
    updateCertificates: changeCertificates,
    updateCertificateByUuid: changeCertificates,
    deleteCertificates: removeCertificates,
    deleteCertificateByUuid: removeCertificates,
    ...scaleHandlers(dependencies),
    getImages: (call) => getImages(images, call),
    getImageStore: (call) => getImageStore(images, call),
    pinImages: (call) => pinImages(images, call),
    unpinImages: (call) => unpinImages(images, call),
    getUser: quotas,
    getUserByUuid: quotas,
    listMetros: () => listMetros(node),
    healthz: (call) => healthz(node, call),
  };
}

function savedHandlers(dependencies: ApiDependencies) {
  const { snapshots } = dependencies;
  const read =
    (kind: SavedKind): Handler =>
    (call) =>
      getSaved(snapshots, kind, call);
  const change =
    (kind: SavedKind): Handler =>
    (call) =>
      updateSaved(snapshots, kind, call);
  const remove =
    (kind: SavedKind): Handler =>
    (call) =>
      deleteSaved(snapshots, kind, call);
  const history: Handler = (call) => getSavedHistory(snapshots, call);
  return {
    createTemplateInstances: (call: Call) => createTemplates(dependencies, call),
    getTemplateInstances: read("template"),
    getTemplateInstanceByUuid: read("template"),
    updateTemplateInstances: change("template"),
    updateTemplateInstanceByUuid: change("template"),
    deleteTemplateInstances: remove("template"),
    deleteTemplateInstanceByUuid: remove("template"),
    createCheckpointInstances: (call: Call) => createCheckpoints(dependencies, call),
    getCheckpointInstances: read("checkpoint"),
    getCheckpointInstanceByUuid: read("checkpoint"),
    updateCheckpointInstances: change("checkpoint"),
    updateCheckpointInstanceByUuid: change("checkpoint"),
    deleteCheckpointInstances: remove("checkpoint"),
    deleteCheckpointInstanceByUuid: remove("checkpoint"),
    getCheckpointHistory: history,
    getCheckpointHistoryByUuid: history,
  };
}

function scaleHandlers({ autoscale }: ApiDependencies) {
  const set: Handler = (call) => setAutoscale(autoscale, call);
  const read: Handler = (call) => getAutoscale(autoscale, call);
  const remove: Handler = (call) => deleteAutoscale(autoscale, call);
  const readPolicies: Handler = (call) => getPolicies(autoscale, call);
  const removePolicy: Handler = (call) => deletePolicy(autoscale, call);
  return {
    createAutoscaleConfigurations: set,
    getAutoscaleConfigurations: read,
    deleteAutoscaleConfigurations: remove,
    createAutoscaleConfigurationByServiceGroupUuid: set,
    getAutoscaleConfigurationsByServiceGroupUuid: read,
    deleteAutoscaleConfigurationsByServiceGroupUuid: remove,
    createAutoscaleConfigurationPolicy: (call: Call) => createPolicy(autoscale, call),
    getAutoscaleConfigurationPolicies: readPolicies,
    deleteAutoscaleConfigurationPolicies: removePolicy,
    getAutoscaleConfigurationPolicyByName: readPolicies,
    deleteAutoscaleConfigurationPolicyByName: removePolicy,
  };
}
