/** Debian's order of versions (deb-version(7)): upstream part, then revision; digits by value, `~` before the end. */
export function compareVersions(left: string, right: string): number {
  const [leftUpstream, leftRevision] = cut(left);
  const [rightUpstream, rightRevision] = cut(right);
  return comparePart(leftUpstream, rightUpstream) || comparePart(leftRevision, rightRevision);
}

function cut(version: string): [string, string] {
  const hyphen = version.lastIndexOf("-");
  return hyphen < 0 ? [version, ""] : [version.slice(0, hyphen), version.slice(hyphen + 1)];
}

/** Text and digits come in turns, text first: "6.1" is "", "6", ".", "1". */
function comparePart(left: string, right: string): number {
  const [leftRuns, rightRuns] = [left.split(/(\d+)/), right.split(/(\d+)/)];
  for (let index = 0; index < Math.max(leftRuns.length, rightRuns.length); index++) {
    const [a, b] = [leftRuns[index] ?? "", rightRuns[index] ?? ""];
    const order = index % 2 === 0 ? compareText(a, b) : compareNumber(a, b);
    if (order !== 0) return order;
  }
  return 0;
}

function compareText(left: string, right: string): number {
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    const order = weight(left[index]) - weight(right[index]);
    if (order !== 0) return order;
  }
  return 0;
}

/** Letters sort before all other characters. */
function weight(character: string | undefined): number {
  if (character === undefined) return 0;
  if (character === "~") return -1;
  return /[A-Za-z]/.test(character) ? character.charCodeAt(0) : character.charCodeAt(0) + 256;
}

function compareNumber(left: string, right: string): number {
  const [a, b] = [BigInt(left || "0"), BigInt(right || "0")];
  return a < b ? -1 : a > b ? 1 : 0;
}
