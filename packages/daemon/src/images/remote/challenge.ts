/** Reads WWW-Authenticate (RFC 9110, 11.6.1): a list of schemes, each with parameters, all with commas in between. */

export interface Challenge {
  /** In lower case. */
  readonly scheme: string;
  /** Names in lower case. */
  readonly parameters: ReadonlyMap<string, string>;
}

const longestHeader = 8192;
const mostChallenges = 16;
const mostParameters = 32;

const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const separators = /[\s,]*/y;
const parameter = new RegExp(
  `(?<name>${token})[ \\t]*=[ \\t]*(?:(?<plain>${token})|"(?<quoted>(?:[^"\\\\]|\\\\.)*)")`,
  "y",
);
const scheme = new RegExp(token, "y");
/** Of schemes such as Negotiate, whose one argument has no name. */
const token68 = /[ \t]+[A-Za-z0-9._~+/-]+=*(?=[ \t]*(?:,|$))/y;

/** What cannot be read ends the list: what came before it stands. */
export function parseChallenges(header: string): readonly Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  if (header.length > longestHeader) return challenges;
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | undefined => {
    pattern.lastIndex = at;
    const match = pattern.exec(header) ?? undefined;
    at += match?.[0].length ?? 0;
    return match;
  };
  while (at < header.length) {
    take(separators);
    const current = challenges.at(-1);
    const pair = current === undefined ? undefined : take(parameter);
    if (pair?.groups !== undefined && current !== undefined) {
      if (current.parameters.size >= mostParameters) return challenges;
      const { name = "", plain, quoted = "" } = pair.groups;
      current.parameters.set(name.toLowerCase(), plain ?? quoted.replace(/\\(.)/g, "$1"));
      continue;
    }
    const name = take(scheme)?.[0];
    if (name === undefined || challenges.length >= mostChallenges) return challenges;
    challenges.push({ scheme: name.toLowerCase(), parameters: new Map() });
    take(token68);
  }
  return challenges;
}
