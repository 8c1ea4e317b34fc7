/** Prometheus text exposition format 0.0.4 of instances' metrics. */
import { type InstanceState, instanceStates } from "@uni/contract/enums";
import type { MeasuredInstance } from "@uni/contract/resources/instance-results";
import type { NodeFigure } from "./port.ts";

export const prometheusContentType = "text/plain; version=0.0.4; charset=utf-8";

/** The numbers that the state gauge shows are those of the documentation. */
const stateNumbers: Readonly<Record<InstanceState, number>> = {
  stopped: 0,
  starting: 1,
  running: 2,
  draining: 3,
  stopping: 4,
  standby: 5,
  template: 6,
  deleted: 7,
  checkpoint: instanceStates.length - 1,
};

type Sample = (instance: MeasuredInstance) => number | undefined;
const time = (text: string | undefined) => (text === undefined ? undefined : Date.parse(text) / 1000);

const metrics: readonly (readonly [name: string, type: "gauge" | "counter", help: string, sample: Sample])[] =
  [
    ["instance_state", "gauge", "State of the instance by number", (i) => i.state && stateNumbers[i.state]],
    ["instance_start_count", "counter", "Starts of all kinds", (i) => i.start_count],
    ["instance_restart_count", "counter", "Automatic restarts", (i) => i.restart_count],
    ["instance_started_at", "gauge", "Last start, seconds since the epoch", (i) => time(i.started_at)],
    ["instance_stopped_at", "gauge", "Last stop, seconds since the epoch", (i) => time(i.stopped_at)],
    ["instance_uptime_ms", "counter", "Total run time", (i) => i.uptime_ms],
    ["instance_vcpus", "gauge", "Virtual processors", (i) => i.vcpus],
    ["instance_rss_bytes", "gauge", "Host memory of the VMM", (i) => i.rss_bytes],
    ["instance_cpu_time_ms", "counter", "Processor time of the VMM", (i) => i.cpu_time_ms],
    ["instance_boot_time_us", "gauge", "Until the program's first instruction", (i) => i.boot_time_us],
    ["instance_net_time_us", "gauge", "Until the program listened", (i) => i.net_time_us],
    ["instance_rx_bytes", "counter", "Bytes received", (i) => i.rx_bytes],
    ["instance_rx_packets", "counter", "Packets received", (i) => i.rx_packets],
    ["instance_tx_bytes", "counter", "Bytes sent", (i) => i.tx_bytes],
    ["instance_tx_packets", "counter", "Packets sent", (i) => i.tx_packets],
    ["instance_nconns", "gauge", "Open inbound connections that are not HTTP", (i) => i.nconns],
    ["instance_nreqs", "gauge", "HTTP requests in flight", (i) => i.nreqs],
    ["instance_nqueued", "gauge", "Queued connections and requests", (i) => i.nqueued],
    ["instance_ntotal", "counter", "Connections and requests handled", (i) => i.ntotal],
  ];

export function prometheusText(instances: readonly MeasuredInstance[]): string {
  const lines: string[] = [];
  for (const [name, type, help, sample] of metrics) {
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
    for (const instance of instances) {
      const value = sample(instance);
      if (value !== undefined) lines.push(`${name}{${labels(instance)}} ${value}`);
    }
  }
  lines.push(
    `# HELP ${wakeup} Milliseconds from the packet or call until it ran`,
    `# TYPE ${wakeup} histogram`,
  );
  for (const instance of instances) lines.push(...wakeupLines(instance));
  return `${lines.join("\n")}\n`;
}

const wakeup = "instance_wakeup_latency";

/** Prometheus counts cumulatively: each bucket holds the ones below it. */
function wakeupLines(instance: MeasuredInstance): string[] {
  let total = 0;
  const buckets = (instance.wakeup_latency ?? []).map(({ bucket_ms, count }) => {
    total += count;
    return `${wakeup}_bucket{${labels(instance)},le="${bucket_ms ?? "+Inf"}"} ${total}`;
  });
  if (buckets.length === 0) return [];
  const sum = `${wakeup}_sum{${labels(instance)}} ${instance.wakeup_latency_sum ?? 0}`;
  return [...buckets, sum, `${wakeup}_count{${labels(instance)}} ${total}`];
}

/** Figures that belong to no instance. */
export function prometheusFigures(figures: readonly NodeFigure[]): string {
  const lines = figures.flatMap(({ name, type, help, samples }) => [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} ${type}`,
    ...samples.map(({ labels: given = {}, value }) => {
      const text = Object.entries(given).map(([key, word]) => `${key}="${quote(word)}"`);
      return `${name}${text.length === 0 ? "" : `{${text.join(",")}}`} ${value}`;
    }),
  ]);
  return `${lines.join("\n")}\n`;
}

function labels({ uuid = "", name = "" }: MeasuredInstance): string {
  return `instance_uuid="${quote(uuid)}",instance_name="${quote(name)}"`;
}

const quote = (text: string) => text.replace(/[\\"]/g, "\\$&").replace(/\n/g, "\\n");
