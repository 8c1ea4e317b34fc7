/** Cuts a builder's output into lines, notes where it is, and keeps the end for the error. */
import { stripVTControlCharacters } from "node:util";
import { UniError } from "@uni/contract/errors";
import type { OutputLine } from "./builder.ts";
import { spaceHint } from "./disk-space.ts";

const keptLines = 20;
const maxLineLength = 2000;
/** As buildah and BuildKit's plain progress write it. */
const stepPatterns = [/STEP (\d+)\/(\d+): (.*)/, /\[(?:[\w.-]+ )?(\d+)\/(\d+)\] (.*)/];

export class BuildOutput {
  readonly #onLine: (line: OutputLine) => void;
  readonly #last: string[] = [];
  #step: string | undefined;

  constructor(onLine: (line: OutputLine) => void) {
    this.#onLine = onLine;
  }

  /** A sink for one of the streams: lines of two streams do not mix. */
  stream(): { push(chunk: Buffer): void; end(): void } {
    const decoder = new TextDecoder();
    let partial = "";
    return {
      push: (chunk) => {
        const lines = (partial + decoder.decode(chunk, { stream: true })).split(/\r\n|\n|\r/);
        partial = (lines.pop() ?? "").slice(0, maxLineLength);
        for (const line of lines) this.#take(line);
      },
      end: () => {
        if (partial !== "") this.#take(partial);
        partial = "";
      },
    };
  }

  /** What the builder said last, the step first. */
  failure(reference: string, end: string): UniError {
    const where = this.#step === undefined ? "" : ` at step ${this.#step}`;
    const output = this.#last.length === 0 ? "" : `\n${this.#last.join("\n")}`;
    if (/no space left on device/i.test(`${end}${output}`)) {
      return new UniError("no_space", `build "${reference}"${where}: ${end}${output}`, { hint: spaceHint });
    }
    const missing = this.#last.join("\n").match(/([^\s"]+): image not known/)?.[1];
    return new UniError("build_failed", `build "${reference}"${where}: ${end}${output}`, {
      hint:
        missing === undefined
          ? "The lines above are the end of the build's output."
          : `The base image ${missing} is not on this machine: pull, load or build it first.`,
    });
  }

  #take(raw: string): void {
    const text = stripVTControlCharacters(raw)
      .replace(/\p{Cc}/gu, " ")
      .slice(0, maxLineLength);
    if (text.trim() === "") return;
    this.#last.push(text);
    if (this.#last.length > keptLines) this.#last.shift();
    const match = stepPatterns.map((pattern) => pattern.exec(text)).find((each) => each !== null);
    if (match === undefined || match === null) {
      this.#onLine({ text });
      return;
    }
    const [, current, total, what] = match;
    this.#step = `${current}/${total} (${what})`;
    this.#onLine({ text, step: { current: Number(current), total: Number(total) } });
  }
}
