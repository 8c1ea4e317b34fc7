import { createHash } from "node:crypto";
import type { Digest } from "@uni/contract/ids";

export const digestOf = (bytes: Uint8Array): Digest =>
  `sha256:${createHash("sha256").update(bytes).digest("hex")}` as Digest;

/** The image specification's grammar of algorithms; sha256 is the one that it demands. */
const otherAlgorithm = /^(?!sha256:)[a-z0-9]+(?:[+._-][a-z0-9]+)*:/;

/** Why the text is not a digest that is taken. */
export const digestProblem = (text: string): string =>
  otherAlgorithm.test(text)
    ? `"${text.slice(0, 150)}": digests other than sha256 are not supported`
    : `"${text.slice(0, 150)}" is not a digest`;
