/** Does the same with each item, at most `most` at a time; the first failure ends it, once those under way have ended. */
export async function sideBySide<Item>(
  items: readonly Item[],
  most: number,
  act: (item: Item) => Promise<void>,
): Promise<void> {
  const rest = [...items];
  let failure: { readonly error: unknown } | undefined;
  const work = async (): Promise<void> => {
    for (let item = rest.shift(); item !== undefined && failure === undefined; item = rest.shift()) {
      try {
        await act(item);
      } catch (error) {
        failure ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(most, items.length) }, work));
  if (failure !== undefined) throw failure.error;
}
