/** Removes templates and checkpoints that nobody has used for as long as they may lie. */
import type { Clock } from "../base/clock.ts";
import { watchDue } from "../base/due.ts";
import type { Log } from "../base/log.ts";
import type { SavedInstance } from "./record.ts";
import type { SavedInstances } from "./saved-instances.ts";

/** When it goes; undefined: not by itself. */
export const savedAutokillAt = ({ content }: SavedInstance): number | undefined =>
  content.autokillMs === 0 || content.spec.deleteLock ? undefined : content.usedAt + content.autokillMs;

/** Ends with the returned function. */
export const watchUnused = (
  saved: SavedInstances,
  { clock, log, onRemoved }: { readonly clock: Clock; readonly log: Log; readonly onRemoved: () => void },
): (() => void) =>
  watchDue({
    clock,
    all: () => saved.all().map((each) => ({ id: each.id, at: savedAutokillAt(each) })),
    onChange: (listener) => saved.onChange(listener),
    onDue(id) {
      saved
        .remove(id, clock.now())
        .then(onRemoved)
        .catch((error) => log.warn({ err: error, saved: id }, "autokill failed"));
    },
  });
