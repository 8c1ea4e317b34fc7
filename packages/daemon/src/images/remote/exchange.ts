/** One HTTP request and its answer, with a limit on every kind of silence. It follows nothing and repeats nothing. */
import { type ClientRequest, type IncomingHttpHeaders, type IncomingMessage, request } from "node:http";
import { request as requestTls } from "node:https";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { UniError } from "@uni/contract/errors";
import type { Clock } from "../../base/clock.ts";
import type { Connections } from "./connections.ts";
import { networkFailure } from "./failures.ts";
import { type Silence, watchSilence } from "./silence.ts";

/** Opened anew for each try. */
export interface Body {
  readonly size: number;
  open(): Readable;
}

export const bytesBody = (bytes: Buffer): Body => ({
  size: bytes.length,
  open: () => Readable.from([bytes]),
});

export interface Outgoing {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Body | undefined;
  /** Ends it also while its body is being read. */
  readonly signal: AbortSignal;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Where it came from in the end. */
  readonly url: URL;
  /** The bytes as they come; to be read once, or given up with `discard`. */
  readonly body: AsyncIterable<Buffer>;
  /** The whole body; longer than `limit` is an error. */
  read(limit: number): Promise<Buffer>;
  /** Lets go of an answer whose body nobody wants. */
  discard(): void;
}

export interface Patience {
  readonly connectMs: number;
  /** From the last byte that was sent to the first line of the answer. */
  readonly answerMs: number;
  /** Between bytes. */
  readonly silenceMs: number;
}

export const patience: Patience = { connectMs: 10_000, answerMs: 30_000, silenceMs: 30_000 };

export interface ExchangeContext {
  readonly clock: Clock;
  readonly connections: Connections;
  readonly patience: Patience;
}

export async function exchange(context: ExchangeContext, outgoing: Outgoing): Promise<Answer> {
  const { url, signal, body } = outgoing;
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const sent = await open(context, outgoing);
  const silence = watchSilence(context.clock, url.host, (error) => sent.destroy(error));
  const onAbort = (): void => void sent.destroy(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  const finish = (): void => {
    silence.end();
    signal.removeEventListener("abort", onAbort);
  };
  sent.once("response", resolve);
  // Stays: a request that is torn down after its answer has begun may say so a second time.
  sent.on("error", (error) => reject(signal.aborted ? signal.reason : error));
  watchStages(sent, silence, context.patience);
  try {
    if (body === undefined) sent.end();
    else void send(sent, body, silence).catch(reject);
    return toAnswer(await promise, { url, signal, silence, finish, silenceMs: context.patience.silenceMs });
  } catch (error) {
    finish();
    sent.destroy();
    throw error;
  }
}

async function open({ connections }: ExchangeContext, outgoing: Outgoing): Promise<ClientRequest> {
  const { method, url, headers, body } = outgoing;
  const ask = url.protocol === "https:" ? requestTls : request;
  return ask(url, {
    method,
    agent: await connections.agentFor(url),
    headers: {
      "user-agent": "uni",
      "accept-encoding": "identity",
      ...headers,
      ...(body === undefined ? {} : { "content-length": body.size }),
    },
  });
}

function watchStages(sent: ClientRequest, silence: Silence, { connectMs, answerMs }: Patience): void {
  silence.allow(connectMs, "connect to");
  const connected = (): void => silence.allow(answerMs, "wait for the answer of");
  sent.once("socket", (socket) => {
    if (!socket.connecting) return connected();
    socket.once("encrypted" in socket ? "secureConnect" : "connect", connected);
  });
}

async function send(sent: ClientRequest, body: Body, silence: Silence): Promise<void> {
  const source = body.open();
  source.on("data", () => silence.touch());
  await pipeline(source, sent);
}

interface Watched {
  readonly url: URL;
  readonly signal: AbortSignal;
  readonly silence: Silence;
  readonly silenceMs: number;
  readonly finish: () => void;
}

function toAnswer(message: IncomingMessage, watched: Watched): Answer {
  const { url } = watched;
  const body = bytesOf(message, watched);
  const read = async (limit: number): Promise<Buffer> => {
    const chunks: Buffer[] = [];
    let length = 0;
    for await (const chunk of body) {
      length += chunk.length;
      if (length > limit) {
        throw new UniError("too_large", `read the answer of ${url.host}: it is longer than ${limit} bytes`);
      }
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  };
  return {
    status: message.statusCode ?? 0,
    headers: message.headers,
    url,
    body,
    read,
    // A short rest is read, for the connection's sake; a failure of what nobody wants is none.
    discard: () => void read(longestRest).catch(() => {}),
  };
}

const longestRest = 64 * 1024;

async function* bytesOf(
  message: IncomingMessage,
  { url, signal, silence, silenceMs, finish }: Watched,
): AsyncGenerator<Buffer> {
  silence.allow(silenceMs, "read from");
  try {
    for await (const chunk of message) {
      // Whoever writes the bytes away may take its time.
      silence.rest();
      yield chunk;
      silence.allow(silenceMs, "read from");
    }
  } catch (error) {
    signal.throwIfAborted();
    throw silence.broken ?? networkFailure(`read from ${url.host}`, url.host, error);
  } finally {
    finish();
  }
}
