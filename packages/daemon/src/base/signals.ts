import { constants } from "node:os";
import { UniError } from "@uni/contract/errors";

const highest = 64;

/** Number of a signal given as "SIGTERM", "TERM" or "15" (signal(7)). */
export function signalNumber(text: string): number {
  const upper = text.trim().toUpperCase();
  if (/^\d{1,2}$/.test(upper)) {
    const number = Number(upper);
    if (number >= 1 && number <= highest) return number;
  }
  const name = upper.startsWith("SIG") ? upper : `SIG${upper}`;
  const known = (constants.signals as Record<string, number>)[name] ?? realTimeSignal(name);
  if (known !== undefined) return known;
  throw new UniError("invalid_value", `send signal '${text}': there is no such signal`, {
    hint: "Give a name such as SIGTERM, or a number from 1 to 64.",
  });
}

/** SIGRTMIN+n and SIGRTMAX-n; 34 and 64 as C libraries for Linux have them. */
function realTimeSignal(name: string): number | undefined {
  const match = name.match(/^SIGRT(?:MIN(?:\+(\d+))?|MAX(?:-(\d+))?)$/);
  if (match === null) return undefined;
  const number = name.startsWith("SIGRTMIN") ? 34 + Number(match[1] ?? 0) : highest - Number(match[2] ?? 0);
  return number >= 34 && number <= highest ? number : undefined;
}
