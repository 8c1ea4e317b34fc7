import type { Context } from "./context.ts";
import { exitStatusOf, reportError } from "./report-error.ts";

const parallel = 8;

/**
 * Does the same to several things, a few at a time: every one is tried, results are printed in the order of the names, failures are
 * reported one by one, and the status is the first failure's. One name prints one value, several print an array.
 */
export async function forEachItem<Result>(
  { out, signal }: Context,
  names: readonly string[],
  act: (name: string) => Promise<Result>,
  text: (result: Result, name: string) => string,
): Promise<number> {
  const settled: ({ readonly value: Result } | { readonly error: unknown } | undefined)[] = [];
  let next = 0;
  let printed = 0;
  const printReady = () => {
    for (; printed < names.length; printed += 1) {
      const item = settled[printed];
      if (item === undefined) return;
      if ("error" in item) reportError(item.error, out.format, out.stderr);
      else if (!out.structured) out.stdout.write(text(item.value, names[printed] ?? ""));
    }
  };
  const worker = async () => {
    while (next < names.length) {
      signal.throwIfAborted();
      const index = next;
      next += 1;
      try {
        settled[index] = { value: await act(names[index] ?? "") };
      } catch (error) {
        signal.throwIfAborted();
        settled[index] = { error };
      }
      printReady();
    }
  };
  await Promise.all(Array.from({ length: Math.min(parallel, names.length) }, worker));
  const values = settled.flatMap((item) => (item !== undefined && "value" in item ? [item.value] : []));
  if (out.structured && (names.length > 1 || values.length === 1)) {
    await out.show(names.length > 1 ? values : values[0], { text: () => "" });
  }
  const failed = settled.find((item) => item !== undefined && "error" in item);
  return failed !== undefined && "error" in failed ? exitStatusOf(failed.error) : 0;
}
