/** What sleep costs, and waking: figures of issue "instances that sleep and wake on a packet". */
import { execFileSync } from "node:child_process";
import { connect } from "node:net";
import { join } from "node:path";
import type { TestDaemon } from "../kit/daemon.ts";
import { serve } from "../kit/machine-test.ts";
import { until } from "../kit/until.ts";
import { machinePids, pssBytes } from "./host-memory.ts";
import { median, percentile } from "./median.ts";

type Report = (what: string, value: number, unit: string, atMost?: number) => void;

const sleepers = 20;
const mebi = 2 ** 20;

export async function sleepFigures(daemon: TestDaemon, report: Report, rounds: number): Promise<void> {
  const make = async (members: object) => {
    const { body } = await daemon.rest("POST", "/instances", {
      image: "busybox",
      args: ["sh", "-c", serve("here")],
      memory_mb: 128,
      autostart: true,
      timeout_s: 60,
      ...members,
    });
    return body.data.instances as { uuid: string; private_ip: string }[];
  };
  const tierOf = async (uuid: string) => {
    const { body } = await daemon.rest("GET", `/instances/${uuid}`);
    return body.data.instances[0].sleep?.tier;
  };
  const suspend = (uuids: readonly string[]) =>
    daemon.rest(
      "PUT",
      "/instances/suspend",
      uuids.map((uuid) => ({ uuid, drain_timeout_ms: 0, timeout_s: -1 })),
    );
  /** A last packet of the request before may have turned it back. */
  const onDisk = (uuid: string) =>
    until("it is on disk", async () => {
      const tier = await tierOf(uuid);
      if (tier === undefined) await suspend([uuid]);
      return tier === "disk";
    });

  const [web] = await make({});
  if (web === undefined) throw new Error("no instance was made");
  await until("it answers", () => requestMs(web.private_ip).catch(() => undefined));
  const awake: number[] = [];
  const disk: number[] = [];
  const toStandby: number[] = [];
  const paused: number[] = [];
  for (let round = 0; round < rounds * 3; round += 1) awake.push(await requestMs(web.private_ip));
  for (let round = 0; round < rounds * 3; round += 1) {
    const began = performance.now();
    await suspend([web.uuid]);
    toStandby.push(performance.now() - began);
    await onDisk(web.uuid);
    disk.push(await requestMs(web.private_ip));
  }
  await daemon.ok(["update", web.uuid, "--scale-to-zero", "idle", "--cooldown", "0.1", "--stateful"]);
  for (let round = 0; round < rounds * 3; round += 1) {
    await until("it is paused", async () => (await tierOf(web.uuid)) === "paused");
    paused.push(await requestMs(web.private_ip));
  }
  report("request to answer: awake, median", median(awake), "ms");
  report("request to answer: awake, p99", percentile(awake, 99), "ms");
  report("request to answer: paused, median", median(paused), "ms");
  report("request to answer: paused, p99", percentile(paused, 99), "ms");
  report("request to answer: paused, median above awake", median(paused) - median(awake), "ms", 10);
  report("request to answer: on disk, median", median(disk), "ms", 200);
  report("request to answer: on disk, p99", percentile(disk, 99), "ms");
  report("suspend over REST until standby, median", median(toStandby), "ms");
  await daemon.rest("DELETE", "/instances", [{ uuid: web.uuid }]);

  const many = await make({ replicas: sleepers - 1 });
  report(`${sleepers} awake: memory each (PSS)`, median(machinePids().map(pssBytes)) / mebi, "MiB");
  await suspend(many.map(({ uuid }) => uuid));
  for (const { uuid } of many) await onDisk(uuid);
  await until("their processes are gone", () => machinePids().length === 0);
  report(`${sleepers} on disk: processes`, machinePids().length, "", 0);
  const bytes = many.map(({ uuid }) => {
    const path = join(daemon.dataDirectory, "instances", uuid, "sleep");
    const [size] = execFileSync("du", ["-s", "--block-size=1", path], { encoding: "utf8" }).split("\t");
    return Number(size);
  });
  report(`${sleepers} on disk: disk each, median`, median(bytes) / mebi, "MiB", 12);
  await daemon.rest(
    "DELETE",
    "/instances",
    many.map(({ uuid }) => ({ uuid })),
  );
}

/** From the first packet to the first byte of the answer. */
function requestMs(host: string): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const began = performance.now();
  const socket = connect({ host, port: 8080 }, () => socket.write("GET / HTTP/1.0\r\n\r\n"));
  socket.setTimeout(30_000, () => socket.destroy(new Error("no answer within 30 s")));
  socket.once("error", reject);
  socket.once("data", () => {
    resolve(performance.now() - began);
    socket.destroy();
  });
  return promise;
}
