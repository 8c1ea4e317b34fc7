/**
 * A live disk whose chain of layers has grown is made to stand on one of the lowest again: QEMU copies what lies between into
 * the layer that is written (block-stream), while its machine goes on, and names the new ground in the header as its last step.
 * A job outlives the daemon that began it, and stands before that step; the next fold ends it.
 */
import { UniError } from "@uni/contract/errors";
import type { Clock } from "../../base/clock.ts";
import { backingChain, readBacking } from "../../host/qcow2.ts";
import { writtenDisk } from "./capture.ts";
import { deadline } from "./deadline.ts";
import type { Qmp } from "./qmp.ts";

export interface Fold {
  /** What the machine writes. */
  readonly path: string;
  readonly onto: string;
}

/** Experimental, and the only answer that tells what each node stands on: their files have other names by now. */
interface Graph {
  readonly nodes: readonly { readonly id: number; readonly name: string }[];
  readonly edges: readonly { readonly parent: number; readonly child: number; readonly name: string }[];
}

interface Job {
  readonly id: string;
  readonly status: string;
  readonly error?: string;
}

const jobId = "fold";
const pollMs = 20;
const foldDeadlineMs = 600_000;
/** Those that were made for this machine's disk stay open until they are closed by name. */
const ownNodes = /^(writable|d[0-9a-f]{8})$/;

export async function foldDisk(qmp: Qmp, clock: Clock, fold: Fold, signal: AbortSignal): Promise<void> {
  const limit = deadline(clock, foldDeadlineMs, `fold the disk ${fold.path}`, signal);
  try {
    await endOf(qmp, clock, AbortSignal.abort());
    if (readBacking(fold.path) !== fold.onto) await stream(qmp, clock, fold, limit.signal);
    await closeUnused(qmp);
  } finally {
    limit.cancel();
  }
}

async function stream(qmp: Qmp, clock: Clock, { path, onto }: Fold, signal: AbortSignal): Promise<void> {
  const device = await writtenDisk(qmp);
  const below = backingNodes(await graphOf(qmp), device);
  // As far from the lowest as it is by the files.
  const base = below.at(-1 - backingChain(onto, below.length).length);
  if (base === undefined) {
    throw new UniError("vmm_failed", `fold the disk ${path}: it does not stand on ${onto}`);
  }
  signal.throwIfAborted();
  await qmp.execute("block-stream", {
    ...{ "job-id": jobId, device, "auto-finalize": false, "auto-dismiss": false },
    ...{ "base-node": base, "backing-file": onto },
  });
  const error = await endOf(qmp, clock, signal, () => flush(qmp, device));
  signal.throwIfAborted();
  if (error !== undefined) throw new UniError("vmm_failed", `fold the disk ${path}: ${error}`);
}

/** Resolves with its error once the job is over, or there is none. An abort ends it; nothing has changed then. */
async function endOf(
  qmp: Qmp,
  clock: Clock,
  signal: AbortSignal,
  beforeLastStep: () => Promise<void> = async () => {},
): Promise<string | undefined> {
  for (let asked = ""; ; await clock.sleep(pollMs)) {
    const job = ((await qmp.execute("query-jobs")) as Job[]).find(({ id }) => id === jobId);
    if (job === undefined) return undefined;
    if (job.status === "concluded") {
      await qmp.execute("job-dismiss", { id: jobId });
      return job.error;
    }
    const next = signal.aborted ? "job-cancel" : job.status === "pending" ? "job-finalize" : "";
    if (next === "" || asked !== "") continue;
    asked = next;
    if (next === "job-finalize") await beforeLastStep();
    // It may be over at this moment.
    await qmp.execute(next, { id: jobId }).catch(() => {});
  }
}

/**
 * The last step names the new ground in the header at once, while where the copies lie is still in QEMU's memory
 * (bdrv_change_backing_file in block/stream.c): one that died then would leave a disk without them.
 */
async function flush(qmp: Qmp, node: string): Promise<void> {
  const said = await qmp.execute("human-monitor-command", { "command-line": `qemu-io ${node} flush` });
  if (said !== "") throw new UniError("vmm_failed", `flush the disk ${node}: ${said}`);
}

/** From the newest on: each is in use by the one over it. */
async function closeUnused(qmp: Qmp): Promise<void> {
  const graph = await graphOf(qmp);
  const written = await writtenDisk(qmp);
  const inUse = new Set([written, ...backingNodes(graph, written)]);
  const unused = graph.nodes
    .filter(({ name }) => ownNodes.test(name) && !inUse.has(name))
    .map(({ name }) => ({ name, depth: backingNodes(graph, name).length }))
    .sort((a, b) => b.depth - a.depth);
  for (const { name } of unused) await qmp.execute("blockdev-del", { "node-name": name });
}

const graphOf = async (qmp: Qmp): Promise<Graph> => (await qmp.execute("x-debug-query-block-graph")) as Graph;

/** Names of the nodes below the one of this name, from the top down. */
function backingNodes({ nodes, edges }: Graph, name: string): string[] {
  const names = new Map(nodes.map((node) => [node.id, node.name]));
  const backing = edges.filter((edge) => edge.name === "backing");
  const below = new Map(backing.map(({ parent, child }) => [parent, child]));
  const found: string[] = [];
  let id = nodes.find((node) => node.name === name)?.id;
  while (id !== undefined) {
    id = below.get(id);
    if (id !== undefined) found.push(names.get(id) ?? "");
  }
  return found;
}
