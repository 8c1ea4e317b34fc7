/** Strangers may ask too: comparing takes the product of the lengths. */
const longestCompared = 100;
const mostCompared = 1000;

/** Names that somebody who typed `wanted` may have meant, best first. */
export function nearNames(wanted: string, names: readonly string[], count = 3): string[] {
  const bare = withoutTag(wanted);
  if (wanted.length > longestCompared) return [];
  return names
    .slice(0, mostCompared)
    .filter((name) => name.length <= longestCompared)
    .map((name) => ({ name, distance: distanceTo(wanted, bare, name) }))
    .filter(({ distance }) => distance <= Math.max(1, Math.floor(bare.length / 3)))
    .sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1))
    .slice(0, count)
    .map(({ name }) => name);
}

/** A hint for somebody who asked for what is not there. */
export function nearHint(wanted: string, names: readonly string[], otherwise: string): string;
export function nearHint(wanted: string, names: readonly string[], otherwise?: string): string | undefined;
export function nearHint(wanted: string, names: readonly string[], otherwise?: string): string | undefined {
  const near = nearNames(wanted, names);
  return near.length === 0 ? otherwise : `Did you mean ${near.join(" or ")}?`;
}

/** The same name with another tag is nearest. */
function distanceTo(wanted: string, bare: string, name: string): number {
  const bareName = withoutTag(name);
  if (bareName === bare) return 0;
  if (bareName.split("/").at(-1) === bare) return 1;
  return Math.min(editDistance(bare, bareName), editDistance(wanted, name));
}

function withoutTag(name: string): string {
  const colon = name.lastIndexOf(":");
  return colon > name.lastIndexOf("/") ? name.slice(0, colon) : name;
}

/** Levenshtein's, where two neighbours that change places are one slip (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitute = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swap = swapped ? (before[j - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY;
      next.push(Math.min(substitute, swap, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    before = row;
    row = next;
  }
  return row[b.length] ?? 0;
}
