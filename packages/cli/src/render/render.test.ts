import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { palette, wantsColour } from "./colour.ts";
import { displayWidth, printable } from "./escape.ts";
import { renderFields, renderTable } from "./table.ts";
import { formatAgo, formatBytes, formatDuration } from "./units.ts";

test("nothing printable steers a terminal", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      assert.doesNotMatch(printable(text), /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
    }),
  );
  assert.equal(printable("a\u001b[2J\u202eb\n\t"), "a\\x1b[2J\\u{202e}b\\n\\t");
  assert.equal(printable("grün 漢字 😀"), "grün 漢字 😀");
});

test("wide characters take two columns, marks none", () => {
  assert.equal(displayWidth("abc"), 3);
  assert.equal(displayWidth("漢字"), 4);
  assert.equal(displayWidth("e\u0301"), 1);
});

const columns = [
  { title: "NAME", value: (row: { name: string }) => row.name, shrinkTo: 6 },
  { title: "SIZE", value: () => "1 MB", align: "right" as const },
];

test("columns are aligned whatever is in them, and colours take no room", () => {
  const rows = [{ name: "a" }, { name: "漢字" }, { name: "longer name" }];
  const painted = columns.map((column) => ({ ...column, paint: palette(true).good }));
  assert.equal(
    renderTable(rows, columns),
    "NAME          SIZE\na             1 MB\n漢字          1 MB\nlonger name   1 MB\n",
  );
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with an escape
  assert.equal(renderTable(rows, painted).replace(/\u001b\[\d+m/g, ""), renderTable(rows, columns));
});

test("a narrow terminal cuts what may be cut", () => {
  const text = renderTable([{ name: "a very long name indeed" }], columns, { width: 16 });
  assert.equal(text, "NAME        SIZE\na very l…   1 MB\n");
  const narrower = renderTable([{ name: "a very long name indeed" }], columns, { width: 4 });
  assert.equal(narrower, "NAME     SIZE\na ver…   1 MB\n");
});

test("where even that does not fit, columns are left out in their order", () => {
  const three = [
    { title: "NAME", value: () => "web" },
    { title: "ADDRESS", value: () => "10.0.0.1", leaveOut: 2 },
    { title: "IMAGE", value: () => "hello", leaveOut: 1 },
    { title: "STATE", value: () => "running" },
  ];
  const heads = [40, 33, 32, 20, 5].map((width) => renderTable([{}], three, { width }).split("\n")[0]);
  assert.deepEqual(heads, [
    "NAME   ADDRESS    IMAGE   STATE",
    "NAME   ADDRESS    IMAGE   STATE",
    "NAME   ADDRESS    STATE",
    "NAME   STATE",
    "NAME   STATE",
  ]);
});

test("tables without rows are their heading", () => {
  assert.equal(renderTable([], columns), "NAME   SIZE\n");
});

test("fields are aligned, and absent ones left out", () => {
  const text = renderFields([
    ["a", "1"],
    ["long", "x\ny"],
    ["gone", undefined],
  ]);
  assert.equal(text, "a     1\nlong  x\\ny\n");
});

test("amounts as people say them", () => {
  assert.deepEqual([0, 999, 1000, 1024, 1_500_000, 256 << 20].map(formatBytes), [
    ...["0 B", "999 B", "1.0 KB", "1.0 KB", "1.4 MB", "256 MB"],
  ]);
  assert.equal(formatDuration(59_999), "59 seconds");
  assert.equal(formatDuration(60_000), "1 minute");
  assert.equal(formatDuration(-5), "0 seconds");
  assert.equal(formatAgo(undefined, 0), "-");
});

test("colour is for terminals, unless it is not wanted", () => {
  const terminal = { isTTY: true };
  assert.equal(wantsColour(terminal, {}, undefined), true);
  assert.equal(wantsColour({}, {}, undefined), false);
  assert.equal(wantsColour(terminal, {}, false), false);
  assert.equal(wantsColour(terminal, { NO_COLOR: "1" }, undefined), false);
  assert.equal(wantsColour(terminal, { NO_COLOR: "" }, undefined), true);
  assert.equal(wantsColour(terminal, { TERM: "dumb" }, undefined), false);
});
