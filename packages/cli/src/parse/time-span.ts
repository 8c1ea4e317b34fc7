import { InvalidArgumentError } from "commander";

const seconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** `90`, `90s`, `10m`, `2h30m`: seconds. */
export function parseSeconds(text: string): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text);
  if (!/^(\d+[smhd])+$/.test(text))
    throw new InvalidArgumentError("Give seconds, or a span such as 90s, 10m or 2h30m.");
  let total = 0;
  for (const [, count, unit] of text.matchAll(/(\d+)([smhd])/g)) {
    total += Number(count) * (seconds[unit ?? ""] ?? 0);
  }
  return total;
}

/** A span before now, or a date and time: milliseconds since the epoch. */
export function parseSince(text: string, nowMs: number): number {
  if (/^(\d+[smhd])+$/.test(text)) return nowMs - parseSeconds(text) * 1000;
  if (/^\d{9,11}(\.\d+)?$/.test(text)) return Math.round(Number(text) * 1000);
  const time = Date.parse(text);
  if (Number.isNaN(time)) {
    throw new InvalidArgumentError("Give a span such as 10m, or a time such as 2026-01-31T12:00:00Z.");
  }
  return time;
}
