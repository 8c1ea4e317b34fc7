import { InvalidArgumentError } from "commander";

const megabytes: Readonly<Record<string, number>> = { "": 1, m: 1, g: 1024, t: 1024 * 1024 };

/** `512`, `512M`, `512MB`, `512MiB`, `1G`, `1.5g`: whole megabytes, binary units. */
export function parseMemory(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([mgt]?)(?:i?b)?$/i.exec(text.trim());
  const value = Number(match?.[1]) * (megabytes[(match?.[2] ?? "").toLowerCase()] ?? Number.NaN);
  if (!Number.isInteger(value) || value <= 0) {
    throw new InvalidArgumentError("Give a size such as 256M or 1G; a bare number is megabytes.");
  }
  return value;
}
