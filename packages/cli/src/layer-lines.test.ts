import assert from "node:assert/strict";
import { test } from "node:test";
import { layerLines } from "./layer-lines.ts";
import { Output } from "./output.ts";

function view(isTTY: boolean, more: { readonly quiet?: boolean } = {}) {
  const written: string[] = [];
  const stderr = {
    isTTY,
    columns: 60,
    rows: 24,
    write: (chunk: string | Uint8Array) => written.push(String(chunk)) > 0,
    once: () => {},
  };
  const options = { format: "table", quiet: false, colour: false, env: {}, stdout: stderr, ...more } as const;
  return { lines: layerLines(new Output({ ...options, stderr }), () => {}), written };
}

const layer = (digit: string) => `sha256:${digit.repeat(64)}`;
const part = (digit: string, current: number, message = "receiving") => ({
  step: "layer",
  layer: layer(digit),
  message,
  current,
  total: 1000,
});

test("on a terminal each layer has a line, which changes in place and is never too long", () => {
  const { lines, written } = view(true);
  lines.take(part("a", 500));
  lines.take(part("b", 0));
  lines.take(part("a", 1000, "received"));
  const text = written.join("");
  assert.match(text, /aaaaaaaaaaaa: receiving \[=+> +\] 500 B of 1\.0 KB/);
  assert.ok(text.endsWith(`\u001b[2Aaaaaaaaaaaaa: received 1.0 KB\u001b[K\n${written.at(-1)}`), text);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what moves the cursor is left out
  for (const line of text.split(/\u001b\[\w+|\n/)) assert.ok(line.length < 60, line);
});

test("elsewhere each layer is told once, when it is there; and nothing at all to whom wants quiet", () => {
  const { lines, written } = view(false);
  for (const current of [0, 500, 1000, 1000])
    lines.take(part("a", current, current < 1000 ? "receiving" : "received"));
  assert.equal(written.length, 1);
  assert.match(written[0] ?? "", /^aaaaaaaaaaaa: received 1\.0 KB\n$/);
  const quiet = view(true, { quiet: true });
  quiet.lines.take(part("a", 1000));
  assert.deepEqual(quiet.written, []);
});
