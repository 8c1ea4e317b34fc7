import { UniError } from "@uni/contract/errors";

/** As a Dockerfile has it: a JSON array of words, or text split at blanks. */
export function parseWords(text: string, option: string): string[] {
  if (!text.trimStart().startsWith("[")) return text.split(/\s+/).filter((word) => word !== "");
  try {
    const words: unknown = JSON.parse(text);
    if (Array.isArray(words) && words.every((word) => typeof word === "string")) return words;
  } catch {
    // Falls through to the error below: what it looks like is no array of words.
  }
  throw new UniError("invalid_value", `reading ${option}: it is not a JSON array of strings`, {
    hint: `Write it as '["/bin/app", "--flag"]' or as plain words.`,
  });
}
