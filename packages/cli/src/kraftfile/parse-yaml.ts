import { readFileSync, statSync } from "node:fs";
import { UniError } from "@uni/contract/errors";
import { LineCounter, parseDocument } from "yaml";
import { systemReason } from "../system-reason.ts";
import { Item } from "./item.ts";

const maxBytes = 256 << 10;
const maxAliases = 1000;

/** The top of a Kraftfile. Nothing is expanded before somebody reads it, so aliases of aliases cost nothing. */
export function parseKraftYaml(path: string): Item {
  const lines = new LineCounter();
  const source = readText(path);
  const document = parse(path, source, lines);
  const [problem] = document.errors;
  if (problem !== undefined) {
    const { line } = lines.linePos(problem.pos[0]);
    throw new UniError("malformed", `reading ${path} line ${line}: ${firstLine(problem.message)}`);
  }
  return new Item({ path, document, lines, aliases: maxAliases }, "", document.contents, 1);
}

function readText(path: string): string {
  try {
    const { size } = statSync(path);
    if (size > maxBytes)
      throw new UniError("too_large", `reading ${path}: it is longer than ${maxBytes} bytes`);
    return new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(path));
  } catch (cause) {
    if (cause instanceof UniError) throw cause;
    if (cause instanceof TypeError) throw new UniError("malformed", `reading ${path}: it is not UTF-8 text`);
    throw new UniError("not_found", `reading ${path}: ${systemReason(cause)}`, { cause });
  }
}

function parse(path: string, source: string, lines: LineCounter) {
  try {
    return parseDocument(source, { lineCounter: lines, prettyErrors: false, logLevel: "silent" });
  } catch (cause) {
    // Lists in lists in lists end in an exhausted stack.
    throw new UniError("malformed", `reading ${path}: it cannot be parsed`, { cause });
  }
}

const firstLine = (text: string): string => text.split("\n", 1)[0] ?? text;
