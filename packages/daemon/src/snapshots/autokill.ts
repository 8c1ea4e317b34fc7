/** Removes templates and checkpoints that nobody has used for as long as they may lie. */
import type { InstanceId } from "@uni/contract/ids";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { SavedInstance } from "./record.ts";
import type { SavedInstances } from "./saved-instances.ts";

/** When it goes; undefined: not by itself. */
export const savedAutokillAt = ({ content }: SavedInstance): number | undefined =>
  content.autokillMs === 0 || content.spec.deleteLock ? undefined : content.usedAt + content.autokillMs;

/** One timer for the one that is due first. Ends with the returned function. */
export function watchUnused(
  saved: SavedInstances,
  { clock, log, onRemoved }: { readonly clock: Clock; readonly log: Log; readonly onRemoved: () => void },
): () => void {
  let cancel = () => {};
  const arm = () => {
    cancel();
    const due = saved.all().flatMap((each) => {
      const at = savedAutokillAt(each);
      return at === undefined ? [] : [{ id: each.id, at }];
    });
    const [first] = due.toSorted((a, b) => a.at - b.at);
    if (first !== undefined) cancel = clock.after(Math.max(0, first.at - clock.now()), () => kill(first.id));
  };
  const kill = (id: InstanceId) => {
    // Whatever came in between counts: the longest timer is some weeks, and it may have been used.
    const found = saved.find(id);
    const at = found === undefined ? undefined : savedAutokillAt(found);
    if (at === undefined || at > clock.now()) return arm();
    saved
      .remove(id, clock.now())
      .then(onRemoved)
      .catch((error) => log.warn({ err: error, saved: id }, "autokill failed"));
  };
  const stop = saved.onChange(arm);
  arm();
  return () => {
    stop();
    cancel();
  };
}
