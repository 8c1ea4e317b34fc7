/**
 * The edge against HAProxy with a configuration written by hand: same backend, same client (h2load), in turns. The one written
 * by hand does the same work for a request: TLS, hosts by map, the same forwarded headers and none of the client's, the least
 * busy server, at most so many requests of each server. It has no limits of a group or a source, no sleepers and no pages.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../../packages/daemon/src/base/clock.ts";
import { askHaproxy } from "../../packages/daemon/src/edge/runtime-socket.ts";
import { identify } from "../../packages/daemon/src/host/process-identity.ts";
import { readUsage } from "../../packages/daemon/src/host/process-usage.ts";
import { makeTestEdge, type TestEdge } from "../kit/edge.ts";
import { backendPort } from "../kit/edge-backends.ts";
import { until } from "../kit/until.ts";
import { median, percentile } from "./median.ts";

type Report = (what: string, value: number, unit: string, atMost?: number) => void;

interface Measured {
  readonly perSecond: number;
  readonly p99Ms: number;
  /** Of the proxy, per request. */
  readonly cpuUs: number;
}

const address = "127.1.0.1";
const host = "a.example.com";
/** Of one turn. Turns are short and many: what else the machine does meets two of them that follow each other alike. */
const requests = 10_000;
const turnsPerRound = 2;
/** Before each turn: the edge keeps no idle connection to a member for more than a second, so that members can sleep. */
const warmUp = 1_000;
const kinds = {
  "HTTP/1.1": { edgePort: 80, handPort: 8080, options: ["--h1", "-c", "32"] },
  "HTTP/1.1 in TLS": { edgePort: 443, handPort: 8443, options: ["--h1", "-c", "32"] },
  "HTTP/2 in TLS": { edgePort: 443, handPort: 8443, options: ["-c", "8", "-m", "8"] },
} as const;

export async function edgeFigures(report: Report, rounds: number): Promise<void> {
  const kit = await makeTestEdge();
  const edge = await kit.open();
  writeFileSync(handHosts(kit), `${host} members\n`);
  const others = [
    await startHaproxy(kit, "backend", quickBackend),
    await startHaproxy(kit, "hand", handWritten(kit)),
  ];
  try {
    const ports = [
      { kind: "http" as const, port: 443, destinationPort: backendPort, tls: true, proxy: false },
      { kind: "http" as const, port: 80, destinationPort: backendPort, tls: false, proxy: false },
    ];
    const limits = { softLimit: 10, hardLimit: 1000 };
    await edge.apply(kit.planOf(kit.group("a", { [address]: "awake" }, { ports, ...limits })));
    const ours = await workerOf(join(kit.directory, "h", "stats"));
    const hand = await workerOf(socketOf(kit, "hand"));
    for (const [kind, { edgePort, handPort, options }] of Object.entries(kinds)) {
      const both = { ours: [] as Measured[], theirs: [] as Measured[] };
      for (let turn = -1; turn < rounds * turnsPerRound; turn += 1) {
        const pair = [
          async () => both.ours.push(await load(kit, edgePort, options, ours)),
          async () => both.theirs.push(await load(kit, handPort, options, hand)),
        ];
        // Neither always comes first.
        for (const measure of turn % 2 === 0 ? pair : pair.reverse()) await measure();
        // The first of all is for warming up.
        if (turn < 0) for (const of of Object.values(both)) of.length = 0;
      }
      const ratio = (of: keyof Measured) =>
        median(both.ours.map((each, turn) => each[of] / (both.theirs[turn]?.[of] ?? Number.NaN)));
      const figure = `edge, ${kind}`;
      report(`${figure}: requests`, median(both.ours.map(({ perSecond }) => perSecond)), "/s");
      report(`${figure}: written by hand`, median(both.theirs.map(({ perSecond }) => perSecond)), "/s");
      report(`${figure}: time of the one written by hand, of ours`, 1 / ratio("perSecond"), "", 1 / 0.9);
      report(`${figure}: p99, ratio`, ratio("p99Ms"), "");
      // Of a single turn the kernel counts too few ticks.
      const cpu = (of: readonly Measured[]) => of.reduce((sum, { cpuUs }) => sum + cpuUs, 0);
      report(`${figure}: CPU time of the proxy per request, ratio`, cpu(both.ours) / cpu(both.theirs), "");
    }
  } finally {
    for (const child of others) {
      child.kill("SIGKILL");
      await once(child, "exit");
    }
    await kit.remove();
  }
}

const defaults = [
  "defaults",
  "  mode http",
  "  timeout connect 10s",
  "  timeout client 10m",
  "  timeout server 10m",
  "  timeout http-request 10s",
  "  timeout http-keep-alive 60s",
];

/** A small response, at once. */
const quickBackend = [
  ...defaults,
  "frontend backend",
  `  bind ${address}:${backendPort}`,
  '  http-request return status 200 content-type text/plain string "hello world"',
];

const handWritten = (kit: TestEdge): string[] => [
  "global",
  `  stats socket "${socketOf(kit, "hand")}" mode 600 level admin`,
  "  ssl-default-bind-options ssl-min-ver TLSv1.2",
  ...defaults,
  "frontend hand",
  "  bind 127.0.0.1:8080",
  `  bind 127.0.0.1:8443 ssl crt "${kit.planOf().defaultCertificate}" alpn h2,http/1.1`,
  "  http-request del-header forwarded",
  "  http-request del-header x-forwarded- -m beg",
  "  http-request del-header x-real-ip",
  "  option forwardfor",
  "  http-request set-header x-forwarded-proto https if { ssl_fc }",
  "  http-request set-header x-forwarded-proto http if !{ ssl_fc }",
  "  http-request set-header x-forwarded-host %[req.hdr(host)]",
  "  http-request set-header x-forwarded-port %[dst_port]",
  `  use_backend %[req.hdr(host),host_only,lower,map("${handHosts(kit)}")]`,
  "backend members",
  "  balance leastconn",
  `  server s1 ${address}:${backendPort} maxconn 1000`,
];

const handHosts = (kit: TestEdge): string => join(kit.directory, "hand.map");

const socketOf = (kit: TestEdge, name: string): string => join(kit.directory, `${name}.sock`);

async function startHaproxy(kit: TestEdge, name: string, lines: readonly string[]): Promise<ChildProcess> {
  const file = join(kit.directory, `${name}.cfg`);
  writeFileSync(file, `${lines.join("\n")}\n`);
  // A session of its own, as the edge has: the scheduler shares the processors out by session.
  const child = spawn("haproxy", ["-db", "-f", file], {
    detached: true,
    stdio: ["ignore", "ignore", "inherit"],
  });
  await once(child, "spawn");
  return child;
}

async function workerOf(socket: string): Promise<number> {
  const info = await until("HAProxy answers", () =>
    askHaproxy(socket, "show info", systemClock).catch(() => undefined),
  );
  return Number(/^Pid: (\d+)$/m.exec(info)?.[1]);
}

async function load(
  kit: TestEdge,
  port: number,
  options: readonly string[],
  proxy: number,
): Promise<Measured> {
  const log = join(kit.directory, "load.log");
  ask(port, warmUp, options);
  rmSync(log, { force: true });
  const cpuBefore = cpuMs(proxy);
  const words = ask(port, requests, [...options, `--log-file=${log}`]);
  const cpu = cpuMs(proxy) - cpuBefore;
  const perSecond = Number(/finished in [^,]+, ([\d.]+) req\/s/.exec(words)?.[1]);
  // Start, status and duration in microseconds of each request.
  const durations = readFileSync(log, "utf8").trimEnd().split("\n");
  const p99Ms = percentile(
    durations.map((line) => Number(line.split("\t")[2]) / 1000),
    99,
  );
  return { perSecond, p99Ms, cpuUs: (cpu * 1000) / requests };
}

function ask(port: number, count: number, options: readonly string[]): string {
  const scheme = String(port).endsWith("443") ? "https" : "http";
  const args = ["-n", String(count), `--connect-to=127.0.0.1:${port}`, ...options, `${scheme}://${host}/`];
  const { status, stdout, stderr } = spawnSync("h2load", args, { encoding: "utf8", timeout: 120_000 });
  if (status !== 0 || !stdout.includes(`${count} 2xx`)) throw new Error(`h2load: ${stdout}${stderr}`);
  return stdout;
}

function cpuMs(pid: number): number {
  const identity = identify(pid);
  const usage = identity === undefined ? undefined : readUsage(identity);
  if (usage === undefined) throw new Error(`process ${pid} is gone`);
  return usage.cpuTimeMs;
}
