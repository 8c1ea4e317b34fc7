import { UniError } from "@uni/contract/errors";
import { type AccountId, asInstanceId } from "@uni/contract/ids";
import type { Instance } from "@uni/contract/resources/instance";
import type { MeasuredInstance } from "@uni/contract/resources/instance-results";
import type { Call } from "./call.ts";
import { asked } from "./instances-read.ts";
import { type Answer, type Item, items } from "./outcome.ts";
import type { ApiDependencies, InstanceMetrics, InstancesPort } from "./port.ts";
import { prometheusContentType, prometheusFigures, prometheusText } from "./prometheus.ts";
import { attempt, resolveExactly } from "./references.ts";

export async function getMetrics(instances: InstancesPort, call: Call): Promise<Answer> {
  const answers = asked(instances, call).map((reference) =>
    attempt(call.log, reference, async () => {
      const id = resolveExactly(instances, call.account, reference);
      return measured(instances.get(id), await instances.metrics(id));
    }),
  );
  const list: readonly Item[] = await Promise.all(answers);
  if (!call.wantsText) return items(list);
  const known = list.filter((item) => item.status === "success") as readonly MeasuredInstance[];
  return { kind: "text", contentType: prometheusContentType, text: prometheusText(known) };
}

/** Everything for a scraper: the node, and every instance of the account. */
export async function metricsPage({ instances, node }: ApiDependencies, account: AccountId): Promise<string> {
  const all = instances.list(account, { count: Number.POSITIVE_INFINITY, order: "asc", tags: [] });
  const list = await Promise.all(
    all.map(async (instance) => {
      try {
        return [measured(instance, await instances.metrics(asInstanceId(instance.uuid)))];
      } catch (error) {
        // Deleted while it was looked at.
        if (error instanceof UniError && error.code === "not_found") return [];
        throw error;
      }
    }),
  );
  return prometheusFigures(await node.figures()) + prometheusText(list.flat());
}

function measured(instance: Instance, metrics: InstanceMetrics): MeasuredInstance & Item {
  return {
    status: "success",
    uuid: instance.uuid,
    name: instance.name,
    state: instance.state,
    start_count: instance.start_count ?? 0,
    restart_count: instance.restart_count ?? 0,
    ...(instance.started_at === undefined ? {} : { started_at: instance.started_at }),
    ...(instance.stopped_at === undefined ? {} : { stopped_at: instance.stopped_at }),
    uptime_ms: instance.uptime_ms ?? 0,
    vcpus: instance.vcpus,
    rss_bytes: metrics.rssBytes,
    cpu_time_ms: metrics.cpuTimeMs,
    boot_time_us: metrics.bootTimeUs,
    net_time_us: metrics.netTimeUs,
    rx_bytes: metrics.rxBytes,
    rx_packets: metrics.rxPackets,
    tx_bytes: metrics.txBytes,
    tx_packets: metrics.txPackets,
    wakeup_latency: metrics.wakes.map(({ bucketMs, count }) => ({ bucket_ms: bucketMs, count })),
    wakeup_latency_sum: metrics.wakesSumMs,
    nconns: metrics.connections,
    // Requests are counted at the edge, which is not there yet.
    nreqs: 0,
    nqueued: 0,
    ntotal: 0,
  };
}
