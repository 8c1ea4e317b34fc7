import { stripVTControlCharacters } from "node:util";
import { UniError } from "@uni/contract/errors";
import type { Progress } from "@uni/contract/rpc";
import { type Frame, frameKinds } from "@uni/contract/stream-frames";
import { jsonPayload } from "@uni/sdk/frame-stream";
import { layerLines } from "./layer-lines.ts";
import type { Output } from "./output.ts";
import { startSpinner } from "./progress.ts";
import { printable } from "./render/escape.ts";

export interface ProgressLines {
  readonly onFrame: (frame: Frame) => void;
  update(message: string): void;
  /** A failure without those lines after its first that stand above it already. */
  shorten(error: unknown): unknown;
  done(): void;
}

/** More than a failure quotes. */
const rememberedLines = 99;

/** Escapes and colours of a build's output are not ours to pass on. */
const clean = (text: string): string => printable(stripVTControlCharacters(text.trimEnd()));

/** What is counted is the step's own affair: entries, lines, layers. */
function amountText({ message, current = 0, total = 0 }: Progress): string {
  return total === 0 ? message : `${message} ${Math.floor((100 * current) / total)}%`;
}

/**
 * Progress of long work on stderr: one line per message, and on a terminal a spinner for what only counts up. Without a
 * terminal a counting step says its name once.
 */
export function progressLines(out: Output, start: string): ProgressLines {
  const spinner = startSpinner(out, start);
  let counting = "";
  let shown: string[] = [];
  const line = (text: string) => {
    spinner.clear();
    out.note(text);
    if (!out.quiet && !out.structured) shown = [...shown.slice(-rememberedLines), text];
  };
  const layers = layerLines(out, () => spinner.clear());
  const take = (progress: Progress) => {
    const { layer } = progress;
    if (layer !== undefined) return layers.take({ ...progress, layer });
    layers.rest();
    // A build's steps stay to be read, as its other lines do.
    if (progress.current === undefined || progress.step === "build") {
      counting = "";
      return line(clean(progress.message));
    }
    spinner.update(amountText({ ...progress, message: clean(progress.message) }));
    const key = `${progress.step} ${progress.message}`;
    if (out.stderr.isTTY !== true && counting !== key) line(clean(progress.message));
    counting = key;
  };
  return {
    onFrame(frame) {
      if (frame.kind === frameKinds.progress) take(jsonPayload(frame) as Progress);
    },
    update: (message) => spinner.update(message),
    shorten(error) {
      if (!(error instanceof UniError)) return error;
      const [first = "", ...rest] = error.message.split("\n");
      const message = [first, ...rest.filter((text) => !shown.includes(clean(text)))].join("\n");
      const { code, cause, hint } = error;
      return new UniError(code, message, { cause, ...(hint === undefined ? {} : { hint }) });
    },
    done: () => spinner.done(),
  };
}
