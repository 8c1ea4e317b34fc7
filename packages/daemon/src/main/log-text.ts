/** The daemon's log for a person at a terminal: one line each, from pino's JSON. */
import { styleText } from "node:util";

interface Destination {
  write(text: string): unknown;
}

export interface LogTextOptions {
  readonly colour: boolean;
}

const levels: Readonly<Record<number, readonly [word: string, style: Parameters<typeof styleText>[0]]>> = {
  20: ["debug", "dim"],
  30: ["info", "green"],
  40: ["warn", "yellow"],
  50: ["error", "red"],
};

/** For pino to write to. */
export function logText(out: Destination, { colour }: LogTextOptions): Destination {
  return { write: (line) => out.write(`${textOf(line, colour)}\n`) };
}

function textOf(line: string, colour: boolean): string {
  const { level, time, msg, err, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const [word, style] = levels[Number(level)] ?? ["info", "green"];
  const shown = colour ? styleText(style, word.padEnd(5), { validateStream: false }) : word.padEnd(5);
  const pairs = Object.entries(fields).map(([key, value]) => ` ${key}=${oneWord(value)}`);
  return `${clockOf(String(time))} ${shown} ${oneLine(msg)}${pairs.join("")}${failure(err)}`;
}

/** Local time; the day is seldom in question at a terminal. */
const clockOf = (time: string): string => new Date(time).toTimeString().slice(0, 8);

/** What came from a guest may hold anything: nothing of it may steer the terminal. */
const oneLine = (value: unknown): string => JSON.stringify(String(value)).slice(1, -1).replaceAll('\\"', '"');

function oneWord(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return /^[\w./:@+,-]+$/.test(text) ? text : JSON.stringify(text);
}

function failure(err: unknown): string {
  if (err === undefined) return "";
  const { message, stack } = err as { message?: unknown; stack?: unknown };
  const frames = typeof stack === "string" ? stack.split("\n").filter((each) => /^\s+at /.test(each)) : [];
  return [`: ${oneLine(message)}`, ...frames.map((each) => `    ${oneLine(each.trim())}`)].join("\n");
}
