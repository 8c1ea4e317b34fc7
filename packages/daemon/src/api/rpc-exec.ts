import { once } from "node:events";
import type { Readable } from "node:stream";
import { UniError } from "@uni/contract/errors";
import type { ExecResult, LogLine } from "@uni/contract/rpc";
import { type Frame, type FrameKind, frameKinds } from "@uni/contract/stream-frames";
import type { FrameChannel } from "./frame-channel.ts";
import type { ConsoleSession, ExecSession } from "./port.ts";

/** Input that may wait for a program that does not read it; signals and resizes behind it wait as well. */
const stdinBacklog = 1 << 20;
const largestTerminal = 65_535;

/** Joins a session to a client: both outputs to the end, then the result. The client's going kills the program. */
export async function serveExec(session: ExecSession, channel: FrameChannel): Promise<ExecResult> {
  const outputs = [
    forward(session.stdout, frameKinds.stdout, channel),
    forward(session.stderr, frameKinds.stderr, channel),
  ];
  return join(session, outputs, channel);
}

/** Joins the program of an instance to a client, who comes and goes. */
export const serveConsole = (session: ConsoleSession, channel: FrameChannel): Promise<ExecResult> =>
  join(session, [forwardPieces(session.output, channel)], channel);

async function join(
  session: Omit<ConsoleSession, "output">,
  forwarded: readonly Promise<void>[],
  channel: FrameChannel,
): Promise<ExecResult> {
  session.stdin.on("error", () => {}); // The program may end without reading its input.
  const { promise: broken, reject: onBroken } = Promise.withResolvers<never>();
  const onAbort = () => onBroken(channel.signal.reason);
  channel.signal.addEventListener("abort", onAbort, { once: true });
  void forwardInput(session, channel).catch(onBroken);
  const outputs = Promise.all(forwarded);
  try {
    await Promise.race([outputs, broken]);
    return await Promise.race([session.result, broken]);
  } finally {
    channel.signal.removeEventListener("abort", onAbort);
    broken.catch(() => {});
    outputs.catch(() => {});
    session.result.catch(() => {});
    await session.close();
  }
}

async function forward(output: Readable, kind: FrameKind, channel: FrameChannel): Promise<void> {
  for await (const chunk of output as AsyncIterable<Buffer>) await channel.send(kind, chunk);
}

async function forwardPieces(output: ConsoleSession["output"], channel: FrameChannel): Promise<void> {
  for await (const { stream, bytes, timeMs } of output) {
    if (stream !== "system") await channel.send(frameKinds[stream], bytes);
    else {
      const time = new Date(timeMs).toISOString();
      const line: LogLine = { time, stream, line: bytes.toString("utf8").trimEnd() };
      await channel.sendJson(frameKinds.event, line);
    }
  }
}

type InputSide = Pick<ConsoleSession, "stdin" | "resize" | "signal">;

async function forwardInput(session: InputSide, channel: FrameChannel): Promise<void> {
  for await (const frame of channel.frames()) await handleFrame(session, frame, channel.signal);
}

async function handleFrame(session: InputSide, frame: Frame, signal: AbortSignal): Promise<void> {
  switch (frame.kind) {
    case frameKinds.stdin:
      session.stdin.write(frame.payload);
      if (((session.stdin as { writableLength?: number }).writableLength ?? 0) > stdinBacklog) {
        await once(session.stdin, "drain", { signal });
      }
      return;
    case frameKinds.end:
      session.stdin.end();
      return;
    case frameKinds.resize: {
      const { rows, columns } = readJson(frame);
      return session.resize(cells(rows, "rows"), cells(columns, "columns"));
    }
    case frameKinds.signal: {
      const { signal: name } = readJson(frame);
      if (typeof name !== "string") throw malformed("a signal frame needs the member 'signal'");
      return session.signal(name);
    }
    default:
      throw malformed(`unexpected frame kind ${frame.kind}`);
  }
}

function readJson(frame: Frame): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(Buffer.from(frame.payload).toString("utf8"));
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  } catch {
    // Said below.
  }
  throw malformed(`a frame of kind ${frame.kind} must hold a JSON object`);
}

function cells(value: unknown, member: string): number {
  if (Number.isInteger(value) && (value as number) > 0 && (value as number) <= largestTerminal)
    return value as number;
  throw malformed(`a resize frame needs '${member}' between 1 and ${largestTerminal}`);
}

const malformed = (message: string) => new UniError("malformed", `talk to a program: ${message}`);
