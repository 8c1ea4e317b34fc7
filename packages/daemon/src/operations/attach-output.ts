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
 * Raw output from now on, until the instance stops for good. What is written to it is dropped: followOutput goes with what
 * takes input. It reads the log at the reader's own pace, so a slow reader holds nobody up.
 */
export function attachOutput(source: AttachSource, signal: AbortSignal): Duplex {
  const { id, store, feed, registry } = source;
  let offset = store.end;
  let wanted = false;
  let nudged = false;
  let pumping = false;
  const duplex = new Duplex({
    // Both sides end together, so that the follower goes when the output is over.
    allowHalfOpen: false,
    read: () => {
      wanted = true;
      onNudge();
    },
    write: (_chunk, _encoding, done) => done(),
  });
  const pump = async () => {
    pumping = true;
    try {
      // A nudge that comes while the log is read asks for another look.
      while (wanted && nudged && !duplex.destroyed) {
        nudged = false;
        const status = registry.find(id)?.status;
        const over = status === undefined || (status.state === "stopped" && status.restart === null);
        const { bytes, end } = await store.read(offset, chunkBytes);
        offset = Math.max(offset, end);
        if (bytes.length > 0) {
          nudged = true;
          wanted = false;
          duplex.push(bytes);
        } else if (over || signal.aborted) {
          wanted = false;
          duplex.push(null);
        }
      }
    } finally {
      pumping = false;
    }
  };
  const onNudge = () => {
    nudged = true;
    if (!pumping) pump().catch((error: Error) => duplex.destroy(error));
  };
  const unfollow = feed.follow(id, onNudge);
  signal.addEventListener("abort", onNudge, { once: true });
  duplex.once("close", () => {
    unfollow();
    signal.removeEventListener("abort", onNudge);
  });
  return duplex;
}
