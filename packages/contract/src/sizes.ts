const units: Readonly<Record<string, number>> = { k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4 };

/** Whole MiB of a size such as "256", "256M", "1.5G" or "1GiB"; a bare number is MiB. Undefined when it is none. */
export function parseSizeMb(text: string): number | undefined {
  const match = /^(\d{1,9}(?:\.\d{1,3})?)\s*(?:([kmgt])(?:i?b)?)?$/i.exec(text.trim());
  if (match === null) return undefined;
  const factor = units[(match[2] ?? "m").toLowerCase()] ?? 1;
  const mib = (Number(match[1]) * factor) / 1024 ** 2;
  return Number.isInteger(mib) ? mib : undefined;
}
