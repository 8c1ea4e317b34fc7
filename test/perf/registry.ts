/**
 * The registry against Debian's docker-registry: the same client pushes the same large blob to both, in turns, as Docker does it
 * (POST, PATCH with a stream, PUT). And the daemon's memory while 2 GB go in and out.
 */
import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { TestDaemon } from "../kit/daemon.ts";
import { unpacked } from "../kit/unpacked.ts";
import { until } from "../kit/until.ts";
import { rssBytes } from "./host-memory.ts";
import { median } from "./median.ts";

type Report = (what: string, value: number, unit: string, atMost?: number) => void;

interface Server {
  readonly url: string;
  readonly authorization?: string;
}

const blobMb = 256;
const largeMb = 2_048;
const chunk = randomBytes(1 << 20);
const repository = "bench/blobs";
const theirPort = 5_055;

export async function registryFigures(daemon: TestDaemon, report: Report, rounds: number): Promise<void> {
  const ours: Server = { url: daemon.url, authorization: `Bearer ${daemon.token}` };
  const other = await startDockerRegistry(join(daemon.directory, "docker-registry"));
  const times = { ours: [] as number[], theirs: [] as number[] };
  try {
    for (let round = -1; round < rounds; round += 1) {
      const turns = [
        async () => times.ours.push(await push(ours, { seed: `ours ${round}`, megabytes: blobMb })),
        async () => times.theirs.push(await push(other, { seed: `theirs ${round}`, megabytes: blobMb })),
      ];
      for (const turn of round % 2 === 0 ? turns : turns.reverse()) await turn();
      // The first of all is for warming up.
      if (round < 0) for (const of of Object.values(times)) of.length = 0;
    }
  } finally {
    await other.stop();
  }
  const figure = `registry: push of a blob of ${blobMb} MB`;
  report(figure, blobMb / (median(times.ours) / 1000), "MB/s");
  report(`${figure}, docker-registry`, blobMb / (median(times.theirs) / 1000), "MB/s");
  report(`${figure}: time of ours, of theirs`, median(times.ours) / median(times.theirs), "", 1);
  const peak = await peakMemory(daemon, async () => {
    const seed = "large";
    await push(ours, { seed, megabytes: largeMb });
    await pull(ours, { seed, megabytes: largeMb });
  });
  report("registry: memory of the daemon (RSS) while 2 GB are pushed and pulled", peak / 2 ** 20, "MiB", 200);
}

interface Content {
  readonly seed: string;
  readonly megabytes: number;
}

/** No two blobs alike, and none in memory as a whole. */
function* bytesOf({ seed, megabytes }: Content): Generator<Buffer> {
  for (let n = 0; n < megabytes; n++) {
    chunk.write(`${seed} ${n}`.padEnd(32));
    yield Buffer.from(chunk);
  }
}

function digestOf(content: Content): string {
  const hash = createHash("sha256");
  for (const bytes of bytesOf(content)) hash.update(bytes);
  return `sha256:${hash.digest("hex")}`;
}

async function push(server: Server, content: Content): Promise<number> {
  const digest = digestOf(content);
  const started = performance.now();
  const begun = await send(server, "POST", `/v2/${repository}/blobs/uploads/`, 202);
  const patched = await send(
    server,
    "PATCH",
    begun.headers.location ?? "",
    202,
    Readable.from(bytesOf(content)),
  );
  const place = patched.headers.location ?? "";
  await send(server, "PUT", `${place}${place.includes("?") ? "&" : "?"}digest=${digest}`, 201);
  return performance.now() - started;
}

async function pull(server: Server, content: Content): Promise<void> {
  const digest = digestOf(content);
  const outgoing = ask(server, "GET", `/v2/${repository}/blobs/${digest}`);
  outgoing.end();
  const [incoming] = (await once(outgoing, "response")) as [IncomingMessage];
  const hash = createHash("sha256");
  for await (const bytes of incoming) hash.update(bytes as Buffer);
  if (`sha256:${hash.digest("hex")}` !== digest)
    throw new Error(`pulled something else: ${incoming.statusCode}`);
}

const ask = ({ url, authorization }: Server, method: string, path: string) =>
  request(new URL(path, url), {
    method,
    headers: {
      ...(authorization === undefined ? {} : { authorization }),
      "content-type": "application/octet-stream",
    },
  });

async function send(
  server: Server,
  method: string,
  path: string,
  expected: number,
  body?: Readable,
): Promise<IncomingMessage> {
  const outgoing = ask(server, method, path);
  const answered = once(outgoing, "response") as Promise<[IncomingMessage]>;
  if (body === undefined) outgoing.end();
  else await pipeline(body, outgoing);
  const [incoming] = await answered;
  incoming.resume();
  await once(incoming, "end");
  if (incoming.statusCode !== expected) throw new Error(`${method} ${path}: ${incoming.statusCode}`);
  return incoming;
}

async function peakMemory(daemon: TestDaemon, work: () => Promise<void>): Promise<number> {
  let peak = 0;
  const look = () => {
    peak = Math.max(peak, rssBytes(daemon.pid));
  };
  const timer = setInterval(look, 50);
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  look();
  return peak;
}

async function startDockerRegistry(directory: string): Promise<Server & { stop(): Promise<void> }> {
  mkdirSync(directory);
  const config = join(directory, "config.yml");
  const lines = [
    "version: 0.1",
    "log: {level: error, accesslog: {disabled: true}}",
    `storage: {filesystem: {rootdirectory: ${directory}}, cache: {blobdescriptor: inmemory}}`,
    `http: {addr: "127.0.0.1:${theirPort}"}`,
  ];
  writeFileSync(config, `${lines.join("\n")}\n`);
  const child = spawn(unpacked("docker-registry"), ["serve", config], { stdio: "ignore" });
  const url = `http://127.0.0.1:${theirPort}`;
  await until("docker-registry answers", () =>
    fetch(`${url}/v2/`).then(
      ({ ok }) => ok,
      () => false,
    ),
  );
  return {
    url,
    async stop() {
      child.kill("SIGKILL");
      await once(child, "exit");
      rmSync(directory, { recursive: true });
    },
  };
}
