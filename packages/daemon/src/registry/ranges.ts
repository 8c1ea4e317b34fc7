export interface Span {
  readonly start: number;
  /** The first byte that is no more part of it. */
  readonly end: number;
}

/** One range of bytes, as RFC 9110 has it. Undefined: none that would be served apart; null: one that is not there. */
export function readRange(header: string | undefined, size: number): Span | undefined | null {
  const match = /^bytes=(\d*)-(\d*)$/.exec((header ?? "").trim());
  const [, from = "", to = ""] = match ?? [];
  if (match === null || (from === "" && to === "")) return undefined;
  if (from === "") {
    const count = Math.min(Number(to), size);
    return count === 0 ? null : { start: size - count, end: size };
  }
  const start = Number(from);
  const end = to === "" ? size : Math.min(Number(to) + 1, size);
  if (to !== "" && Number(to) < start) return undefined;
  return start >= size ? null : { start, end };
}

/** `<start>-<last>` of a chunk, as the distribution specification has it; null: it is none. */
export function readContentRange(header: string | undefined): Span | undefined | null {
  if (header === undefined) return undefined;
  const match = /^(?:bytes[ =])?(\d{1,15})-(\d{1,15})(?:\/(?:\d{1,15}|\*))?$/.exec(header.trim());
  const [start, last] = [Number(match?.[1]), Number(match?.[2])];
  return match === null || last < start ? null : { start, end: last + 1 };
}
