import type { Clock } from "./clock.ts";

export interface DueOptions<Id> {
  readonly clock: Clock;
  /** When it is due, in milliseconds since the epoch; undefined: not by itself. */
  readonly all: () => readonly { readonly id: Id; readonly at: number | undefined }[];
  readonly onChange: (listener: () => void) => () => void;
  readonly onDue: (id: Id) => void;
}

/** One timer for the one that is due first. Ends with the returned function. */
export function watchDue<Id>({ clock, all, onChange, onDue }: DueOptions<Id>): () => void {
  let cancel = () => {};
  const first = () =>
    all()
      .flatMap(({ id, at }) => (at === undefined ? [] : [{ id, at }]))
      .toSorted((a, b) => a.at - b.at)[0];
  const arm = () => {
    cancel();
    const next = first();
    if (next !== undefined) cancel = clock.after(Math.max(0, next.at - clock.now()), () => due(next.id));
  };
  const due = (id: Id) => {
    // Whatever came in between counts: the longest timer is some weeks.
    const at = all().find((each) => each.id === id)?.at;
    if (at === undefined || at > clock.now()) arm();
    else onDue(id);
  };
  const stop = onChange(arm);
  arm();
  return () => {
    stop();
    cancel();
  };
}
