import { cutTo, displayWidth, printable } from "./escape.ts";

export interface Column<Row> {
  readonly title: string;
  readonly value: (row: Row) => string;
  readonly align?: "left" | "right";
  /** May be cut, down to this many characters, when the terminal is too narrow. */
  readonly shrinkTo?: number;
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

/** Aligned columns with a heading line; every cell is made printable. */
export function renderTable<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  { width }: TableOptions = {},
): string {
  const cells = rows.map((row) => columns.map((column) => printable(column.value(row))));
  const natural = columns.map((column, index) =>
    Math.max(displayWidth(column.title), ...cells.map((line) => displayWidth(line[index] ?? ""))),
  );
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
