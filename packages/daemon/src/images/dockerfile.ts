/** Just enough of a Dockerfile to know which images it starts from; the builder reads the rest. */

/** Names of images outside the Dockerfile, with build arguments filled in. */
export function baseImages(
  dockerfile: string,
  buildArgs: Readonly<Record<string, string>>,
  contexts: readonly string[] = [],
): string[] {
  const values = new Map<string, string>();
  const stages = new Set<string>();
  const isElsewhere = (name: string): boolean =>
    !stages.has(name.toLowerCase()) && !contexts.includes(name) && !/^[0-9]+$/.test(name);
  const names = new Set<string>();
  let seenFrom = false;
  for (const line of logicalLines(dockerfile)) {
    const [word = "", ...rest] = line.trim().split(/\s+/);
    const words = rest.filter((each) => !each.startsWith("--"));
    switch (word.toUpperCase()) {
      case "ARG": {
        // Only those before the first FROM can stand in a FROM.
        const [, name = "", value = ""] = /^([^=]+)(?:=(.*))?$/.exec(words[0] ?? "") ?? [];
        if (!seenFrom) values.set(name, buildArgs[name] ?? value.replace(/^["']|["']$/g, ""));
        break;
      }
      case "FROM": {
        seenFrom = true;
        const name = fill(words[0] ?? "", values);
        if (!stages.has(name.toLowerCase())) names.add(name);
        if (words[1]?.toUpperCase() === "AS") stages.add((words[2] ?? "").toLowerCase());
        break;
      }
      case "COPY": {
        const name = rest.find((each) => each.startsWith("--from="))?.slice("--from=".length);
        if (name !== undefined && isElsewhere(name)) names.add(name);
        break;
      }
      case "RUN":
        for (const mount of rest.filter((each) => each.startsWith("--mount="))) {
          const name = /[=,]from=([^,]+)/.exec(mount)?.[1];
          if (name !== undefined && isElsewhere(name)) names.add(name);
        }
        break;
    }
  }
  names.delete("scratch");
  names.delete("");
  return [...names];
}

/** Comments are left out and continued lines joined. */
function logicalLines(text: string): string[] {
  const kept = text.split(/\r?\n/).filter((line) => !/^\s*#/.test(line));
  return kept
    .join("\n")
    .replace(/\\[ \t]*\n/g, " ")
    .split("\n");
}

function fill(text: string, values: ReadonlyMap<string, string>): string {
  return text.replace(
    /\$(?:\{(\w+)(?::-([^}]*))?\}|(\w+))/g,
    (_, braced: string | undefined, fallback: string | undefined, bare: string | undefined) => {
      const value = values.get(braced ?? bare ?? "") ?? "";
      return value === "" ? (fallback ?? "") : value;
    },
  );
}
