import { UniError } from "@uni/contract/errors";

export interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
}

interface SizedStream {
  readonly isTTY?: boolean;
  readonly rows?: number;
  readonly columns?: number;
}

/** For terminals that tell no size, such as serial lines: they say 0. */
const fallback: TerminalSize = { rows: 24, columns: 80 };

export function terminalSize(stream: SizedStream): TerminalSize {
  const { rows = 0, columns = 0 } = stream;
  return { rows: rows > 0 ? rows : fallback.rows, columns: columns > 0 ? columns : fallback.columns };
}

/** Puts the terminal on stdin in raw mode; the returned function gives it back as it was, and may be called twice. */
export function enterRawMode(stdin: NodeJS.ReadStream): () => void {
  stdin.setRawMode(true);
  const restore = () => {
    process.off("exit", restore);
    if (stdin.isRaw) stdin.setRawMode(false);
  };
  // Also when something calls process.exit or an exception nobody caught ends us.
  process.on("exit", restore);
  return restore;
}

export function requireTerminal(stdin: NodeJS.ReadStream): void {
  if (stdin.isTTY) return;
  throw new UniError("malformed", "running interactively: standard input is not a terminal", {
    hint: "Leave -t out: -i alone passes input on.",
  });
}
