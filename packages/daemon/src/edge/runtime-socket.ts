/** One command to HAProxy, one answer: it closes the connection after each. */
import { connect } from "node:net";
import { UniError } from "@uni/contract/errors";
import type { Clock } from "../base/clock.ts";
import { withDeadline } from "../base/deadline.ts";

const answerMs = 10_000;
const longestAnswer = 4 << 20;

/** `command` may hold several, with `;` between them. */
export function askHaproxy(path: string, command: string, clock: Clock, ms = answerMs): Promise<string> {
  const attempted = `ask the edge '${command.slice(0, 60)}'`;
  return withDeadline({ clock, ms, attempted }, (signal) => exchange(path, command, signal));
}

async function exchange(path: string, command: string, signal: AbortSignal): Promise<string> {
  const socket = connect({ path, signal });
  try {
    // The other side of a half-closed connection would not answer: only the line end ends the command.
    socket.write(`${command}\n`);
    let text = "";
    for await (const chunk of socket) {
      text += String(chunk);
      if (text.length > longestAnswer) throw new UniError("failed", "ask the edge: its answer has no end");
    }
    return text;
  } finally {
    socket.destroy();
  }
}
