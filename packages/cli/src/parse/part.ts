import { InvalidArgumentError } from "commander";

/** A part of a whole, for an option's parser. */
export function parsePart(text: string): number {
  const value = /^[01]?\.?\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= 0 && value <= 1) return value;
  throw new InvalidArgumentError("Give a number from 0 to 1, such as 0.8.");
}
