/** As Promise.all, but fails with the first failure when all have come to their end: undoing finds nothing under way. */
export async function settled<const Work extends readonly Promise<unknown>[]>(
  work: Work,
): Promise<{ -readonly [Each in keyof Work]: Awaited<Work[Each]> }> {
  const results = await Promise.allSettled(work);
  const failure = results.find((result) => result.status === "rejected");
  if (failure !== undefined) throw failure.reason;
  // Promise.all's own type: those that did not fail have values.
  return Promise.all(work) as never;
}
