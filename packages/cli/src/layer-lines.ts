/** One line for each layer of an image on its way: on a terminal they change in place, elsewhere each is told once at its end. */
import type { Progress } from "@uni/contract/rpc";
import type { Output } from "./output.ts";
import { printable } from "./render/escape.ts";
import { formatBytes } from "./render/units.ts";
import { terminalSize } from "./terminal.ts";
import { nowMs } from "./time.ts";

export interface LayerLines {
  take(progress: Progress & { readonly layer: string }): void;
  /** Leaves the lines as they are: what is printed next comes below them. */
  rest(): void;
}

const betweenDrawsMs = 80;
const longestBar = 30;
const shortestBar = 4;
const shownDigits = 12;

export function layerLines(out: Output, clear: () => void): LayerLines {
  if (out.quiet || out.structured) return { take() {}, rest() {} };
  return out.stderr.isTTY === true ? drawnLines(out, clear) : plainLines(out);
}

function plainLines(out: Output): LayerLines {
  const told = new Set<string>();
  return {
    take(progress) {
      const { layer, current, total } = progress;
      if (current !== total || told.has(layer)) return;
      told.add(layer);
      out.note(textOf(progress));
    },
    rest() {},
  };
}

function drawnLines({ stderr }: Output, clear: () => void): LayerLines {
  const layers = new Map<string, Progress>();
  let drawn = 0;
  let drawnAt = Number.NEGATIVE_INFINITY;
  const draw = (): void => {
    const { rows, columns } = terminalSize(stderr);
    clear();
    if (drawn > 0) stderr.write(`\u001b[${drawn}A`);
    // As many as fit; the last are those that still move.
    const lines = [...layers].slice(-Math.max(1, rows - 2));
    for (const [layer, progress] of lines) {
      stderr.write(`${barOf({ ...progress, layer }, columns).slice(0, columns - 1)}\u001b[K\n`);
    }
    drawn = lines.length;
    drawnAt = nowMs();
  };
  return {
    take(progress) {
      const before = layers.get(progress.layer);
      layers.set(progress.layer, progress);
      const isNews = before?.message !== progress.message || progress.current === progress.total;
      if (isNews || nowMs() - drawnAt >= betweenDrawsMs) draw();
    },
    rest() {
      layers.clear();
      drawn = 0;
    },
  };
}

type LayerProgress = Progress & { readonly layer: string };

function textOf({ layer, message, total = 0 }: LayerProgress): string {
  return `${shortOf(layer)}: ${printable(message)} ${formatBytes(total)}`;
}

function barOf(progress: LayerProgress, columns: number): string {
  const { layer, message, current = 0, total = 0 } = progress;
  if (current >= total) return textOf(progress);
  const start = `${shortOf(layer)}: ${printable(message)} `;
  const end = `${formatBytes(current)} of ${formatBytes(total)}`;
  const width = Math.min(longestBar, columns - start.length - end.length - 4);
  if (width < shortestBar) return `${start}${end}`;
  const filled = Math.floor((width * current) / total);
  return `${start}[${"=".repeat(filled)}>${" ".repeat(width - filled - 1)}] ${end}`;
}

const shortOf = (layer: string): string => printable(layer.replace(/^sha256:/, "").slice(0, shownDigits));
