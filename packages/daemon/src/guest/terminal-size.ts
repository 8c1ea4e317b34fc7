export interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
}

export const clampSize = (size: number): number => Math.min(Math.max(Math.trunc(size), 0), 0xffff);

/** The payload of RESIZE. */
export function encodeSize({ rows, columns }: TerminalSize): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt16LE(clampSize(rows));
  payload.writeUInt16LE(clampSize(columns), 2);
  return payload;
}
