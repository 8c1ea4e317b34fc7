import { errorTable, toUniError, UniError } from "@uni/contract/errors";
import type { OutputFormat } from "./globals.ts";
import { printable } from "./render/escape.ts";

/** Thrown to end with a status and nothing more to say. */
export class ExitStatus extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`exit status ${status}`);
    this.status = status;
  }
}

/** Ctrl-C or SIGTERM ended the command. */
export class Interrupted extends ExitStatus {}

export function exitStatusOf(error: unknown): number {
  if (error instanceof ExitStatus) return error.status;
  return error instanceof UniError ? errorTable[error.code].exit : errorTable.internal.exit;
}

/** Lines stay lines (a build's last output), everything else that could steer a terminal is escaped. */
const safeLines = (text: string): string => text.split("\n").map(printable).join("\n");

export function formatError(thrown: unknown, format: OutputFormat): string {
  const error = toUniError(thrown, "running this command");
  const { code, message, hint } = error;
  if (format === "json") return `${JSON.stringify({ error: { code, message, hint } })}\n`;
  return `Error: ${safeLines(message)}\n${hint === undefined ? "" : `Hint: ${safeLines(hint)}\n`}`;
}

/** Prints the failure, unless it is one that needs no words; returns the exit status. */
export function reportError(
  error: unknown,
  format: OutputFormat,
  stderr: { write(text: string): unknown },
): number {
  if (!(error instanceof ExitStatus)) stderr.write(formatError(error, format));
  return exitStatusOf(error);
}
