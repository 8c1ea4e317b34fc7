import { cutTo, displayWidth, printable } from "./escape.ts";

export interface Column<Row> {
  readonly title: string;
  readonly value: (row: Row) => string;
  readonly align?: "left" | "right";
  /** May be cut, down to this many characters, when the terminal is too narrow. */
  readonly shrinkTo?: number;
  /** May be left out, lowest first, where even so cut columns do not fit. */
  readonly leaveOut?: number;
  readonly paint?: (text: string, row: Row) => string;
}

export interface TableOptions {
  /** Undefined: as wide as the content, for pipes and files. */
  readonly width?: number | undefined;
}

const gap = "   ";

function fit(widths: number[], columns: readonly { readonly shrinkTo?: number }[], total: number): number[] {
  const fitted = [...widths];
  let excess = fitted.reduce((sum, width) => sum + width, 0) + gap.length * (fitted.length - 1) - total;
  while (excess > 0) {
    let widest = -1;
    for (const [index, column] of columns.entries()) {
      if (column.shrinkTo === undefined || (fitted[index] ?? 0) <= column.shrinkTo) continue;
      if (widest < 0 || (fitted[index] ?? 0) > (fitted[widest] ?? 0)) widest = index;
    }
    if (widest < 0) break;
    fitted[widest] = (fitted[widest] ?? 0) - 1;
    excess -= 1;
  }
  return fitted;
}

const naturalWidth = <Row>(rows: readonly Row[], { title, value }: Column<Row>): number =>
  Math.max(displayWidth(title), ...rows.map((row) => displayWidth(printable(value(row)))));

/** The columns that there is room for. */
function thatFit<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  total: number,
): readonly Column<Row>[] {
  const least = columns.map((column) => Math.min(naturalWidth(rows, column), column.shrinkTo ?? Infinity));
  const needed = least.reduce((sum, each) => sum + each + gap.length, -gap.length);
  const [first] = columns
    .filter(({ leaveOut }) => leaveOut !== undefined)
    .sort((a, b) => (a.leaveOut ?? 0) - (b.leaveOut ?? 0));
  if (needed <= total || first === undefined) return columns;
  return thatFit(
    rows,
    columns.filter((column) => column !== first),
    total,
  );
}

/** Aligned columns with a heading line; every cell is made printable. */
export function renderTable<Row>(
  rows: readonly Row[],
  all: readonly Column<Row>[],
  { width }: TableOptions = {},
): string {
  const columns = width === undefined ? all : thatFit(rows, all, width);
  const cells = rows.map((row) => columns.map((column) => printable(column.value(row))));
  const natural = columns.map((column) => naturalWidth(rows, column));
  const widths = width === undefined ? natural : fit(natural, columns, width);
  const line = (texts: readonly string[], row: Row | undefined) => {
    const parts = columns.map((column, index) => {
      const room = widths[index] ?? 0;
      const text = cutTo(texts[index] ?? "", room);
      const padding = " ".repeat(Math.max(0, room - displayWidth(text)));
      const painted = row !== undefined && column.paint !== undefined ? column.paint(text, row) : text;
      if (column.align === "right") return padding + painted;
      return index === columns.length - 1 ? painted : painted + padding;
    });
    return `${parts.join(gap).trimEnd()}\n`;
  };
  let text = line(
    columns.map((column) => column.title),
    undefined,
  );
  for (const [index, row] of rows.entries()) text += line(cells[index] ?? [], row);
  return text;
}

/** `key  value` lines, for one thing. */
export function renderFields(fields: readonly (readonly [string, string | undefined])[]): string {
  const shown = fields.filter((field): field is readonly [string, string] => field[1] !== undefined);
  const width = Math.max(0, ...shown.map(([key]) => displayWidth(key)));
  return shown
    .map(([key, value]) => `${key.padEnd(width)}  ${printable(value)}`.trimEnd())
    .map((line) => `${line}\n`)
    .join("");
}
