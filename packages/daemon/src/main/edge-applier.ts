/** Keeps the edge as groups, instances and certificates say. Changes that come while it works are applied together. */
import type { CertificateId } from "@uni/contract/ids";
import type { Configurations } from "../autoscale/configurations.ts";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Edge, EdgeChallenge, EdgePlan } from "../edge/port.ts";
import type { Drains } from "../instances/drains.ts";
import type { InstanceRecord } from "../instances/record.ts";
import type { Registry } from "../instances/registry.ts";
import { hasSettled, listensWithinMs } from "../instances/settled.ts";
import type { Certificates } from "../services/certificates.ts";
import { edgePlan } from "../services/edge-plan.ts";
import type { LocalCa } from "../services/local-ca.ts";
import type { ServiceGroups } from "../services/service-groups.ts";

export interface EdgeApplierDependencies {
  readonly edge: Edge;
  readonly groups: ServiceGroups;
  readonly certificates: Certificates;
  readonly localCa: LocalCa;
  readonly challenges: () => readonly EdgeChallenge[];
  readonly registry: Registry;
  readonly drains: Drains;
  readonly configurations: Pick<Configurations, "find">;
  readonly nodeDomain: string;
  readonly clock: Clock;
  readonly log: Log;
}

export interface EdgeApplier {
  /** Resolves when the edge is as things were at the call; a failure is in the log. */
  apply(): Promise<void>;
  close(): Promise<void>;
}

/** Certificates of the local authority are asked for anew, which renews them in time; a taken port may be free. */
const repeatMs = 3_600_000;

export function followChanges(deps: EdgeApplierDependencies): EdgeApplier {
  const { edge, groups, registry, clock, log } = deps;
  let underWay: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  let closed = false;
  let cancel = () => {};

  async function applyNow(): Promise<void> {
    if (closed) return;
    try {
      for (const problem of await edge.apply(await currentPlan(deps))) log.warn({}, problem);
    } catch (error) {
      log.error({ err: error }, "the edge could not be brought up to date");
    }
  }

  function apply(): Promise<void> {
    if (underWay === undefined) {
      underWay = applyNow().finally(() => {
        underWay = undefined;
      });
      return underWay;
    }
    next ??= underWay.then(() => {
      next = undefined;
      return apply();
    });
    return next;
  }

  const repeat = () => {
    cancel = clock.after(repeatMs, () => void apply().finally(repeat));
  };
  const stops = [
    groups.onChange(() => void apply()),
    registry.onChange((after, before) => {
      const id = (after ?? before)?.id;
      if (id === undefined || groups.groupOf(id) === undefined) return;
      const now = clock.now();
      if (after?.status.state === before?.status.state && isSettled(after, now) === isSettled(before, now))
        return;
      if (after?.status.state === "running" && !isSettled(after, now))
        clock.after(listensWithinMs, () => void apply());
      void apply();
    }),
  ];
  repeat();
  return {
    apply,
    async close() {
      closed = true;
      cancel();
      for (const stop of stops) stop();
      await (next ?? underWay);
    },
  };
}

const isSettled = (record: InstanceRecord | undefined, now: number): boolean =>
  record !== undefined && hasSettled(record.status, now);

async function currentPlan(deps: EdgeApplierDependencies): Promise<EdgePlan> {
  const { groups, registry, certificates, configurations, localCa, nodeDomain, clock, drains } = deps;
  const instances = registry.all().flatMap((record) => {
    const { id, name, address, status } = drains.shown(record);
    const group = groups.groupOf(id);
    if (group === undefined) return [];
    // From its first step on, falling asleep is turned back by a packet: no request is refused meanwhile.
    const fallsAsleep =
      (status.state === "stopping" && status.intent === "sleep") ||
      (status.state === "draining" && drains.fallsAsleep(id));
    const state = fallsAsleep ? "standby" : status.state;
    return [{ id, name, address, state, settled: isSettled(record, clock.now()), group: group.id }];
  });
  const known = {
    nodeDomain,
    stored: certificates.catalogue.all(),
    path: (id: CertificateId) => certificates.files.path(id),
  };
  const plan = edgePlan(groups.catalogue.all(), instances, known, (id) => configurations.find(id));
  // An installation without services needs no authority.
  if (plan.groups.length === 0) return { groups: [], defaultCertificate: "" };
  const { path: defaultCertificate } = await localCa.leaf(`*.${nodeDomain}`);
  const served = plan.groups.map(async (group) => ({
    ...group,
    domains: await Promise.all(
      group.domains.map(async ({ fqdn, certificate }) => ({
        fqdn,
        certificate:
          certificate.kind === "stored" ? certificate.path : (await localCa.leaf(certificate.name)).path,
      })),
    ),
  }));
  return { groups: await Promise.all(served), defaultCertificate, challenges: deps.challenges() };
}
