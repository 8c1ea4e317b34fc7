/** Splits a line into words as a shell does: blanks part them, quotes and backslashes keep them together. Nothing is expanded. */
export function shellWords(text: string): string[] | undefined {
  const words: string[] = [];
  let word: string | undefined;
  let quote = "";
  for (let at = 0; at < text.length; at++) {
    const character = text[at] ?? "";
    if (quote === "'") {
      if (character === "'") quote = "";
      else word += character;
    } else if (character === "\\") {
      const next = text[++at];
      if (next === undefined) return undefined;
      // Between double quotes a backslash escapes only what would mean something there.
      const kept = quote === '"' && !'"\\$`\n'.includes(next) ? "\\" : "";
      word = `${word ?? ""}${kept}${next === "\n" ? "" : next}`;
    } else if (quote === '"') {
      if (character === '"') quote = "";
      else word += character;
    } else if (character === "'" || character === '"') {
      quote = character;
      word ??= "";
    } else if (/\s/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else {
      word = (word ?? "") + character;
    }
  }
  if (quote !== "") return undefined;
  if (word !== undefined) words.push(word);
  return words;
}
