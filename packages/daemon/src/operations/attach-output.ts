import { Duplex } from "node:stream";
import type { InstanceId } from "@uni/contract/ids";
import type { LogStore } from "../instances/log-store.ts";
import type { OutputFeed } from "../instances/output-feed.ts";
import type { Registry } from "../instances/registry.ts";

const chunkBytes = 64 * 1024;

export interface AttachSource {
  readonly id: InstanceId;
  readonly store: LogStore;
  readonly feed: OutputFeed;
  readonly registry: Registry;
}

/**
 * Raw output from now on, until the instance stops for good. What is written to it is dropped: a program's standard input is
 * empty. It reads the log at the reader's own pace, so a slow reader holds nobody up.
 */
export function attachOutput(source: AttachSource, signal: AbortSignal): Duplex {
  const { id, store, feed, registry } = source;
  let offset = store.end;
  let waiting = false;
  const duplex = new Duplex({
    read: () => {
      waiting = true;
      void pump();
    },
    write: (_chunk, _encoding, done) => done(),
  });
  const pump = async () => {
    if (!waiting) return;
    waiting = false;
    const status = registry.find(id)?.status;
    const over = status === undefined || (status.state === "stopped" && status.restart === null);
    const { bytes, end } = await store.read(offset, chunkBytes);
    offset = Math.max(offset, end);
    if (bytes.length > 0) duplex.push(bytes);
    else if (over || signal.aborted) duplex.push(null);
    else waiting = true;
  };
  const onNudge = () => {
    pump().catch((error: Error) => duplex.destroy(error));
  };
  const unfollow = feed.follow(id, onNudge);
  signal.addEventListener("abort", onNudge, { once: true });
  duplex.once("close", () => {
    unfollow();
    signal.removeEventListener("abort", onNudge);
  });
  return duplex;
}
