/** Clients that ask again and again, and what went wrong with them. */
import { once } from "node:events";
import { type ClientRequest, Agent as HttpAgent, request as httpRequest } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { setTimeout as pause } from "node:timers/promises";

export interface Client {
  readonly name: string;
  /** One question; rejects when it was not answered. */
  readonly ask: () => Promise<string>;
  readonly close: () => void;
}

/** Longer than any wake may take, shorter than what a person would call an answer. */
const patienceMs = 25_000;

async function answerTo(request: ClientRequest): Promise<string> {
  request.setTimeout(patienceMs);
  request.once("timeout", () => request.destroy(new Error(`no answer within ${patienceMs} ms`)));
  request.end();
  const [response] = await once(request, "response");
  const body = (await text(response)).trim();
  if (response.statusCode !== 200) throw new Error(`status ${response.statusCode}: ${body.slice(0, 200)}`);
  return body;
}

/** A new connection for each request. */
export const httpClient = (name: string, host: string, port: number, path = "/"): Client => ({
  name,
  ask: () => answerTo(httpRequest({ host, port, path, agent: new HttpAgent({ keepAlive: false }) })),
  close: () => {},
});

/** HTTPS through the edge; with `keepAlive` all of its requests are on one connection. */
export function edgeClient(name: string, fqdn: string, ca: string, keepAlive: boolean): Client {
  const agent = new HttpsAgent({ keepAlive, maxSockets: 1 });
  const headers = { host: fqdn };
  return {
    name,
    ask: () => answerTo(httpsRequest({ host: "127.0.0.1", port: 443, servername: fqdn, ca, agent, headers })),
    close: () => agent.destroy(),
  };
}

/** One connection for good, to something that says back what it is told. */
export async function echoClient(name: string, host: string, port: number): Promise<Client> {
  const socket = connect({ host, port });
  await once(socket, "connect");
  socket.on("error", () => {}); // Whoever asks next is told.
  let count = 0;
  return {
    name,
    async ask() {
      const line = `line ${++count}\n`;
      socket.write(line);
      const [answer] = await once(socket, "data", { signal: AbortSignal.timeout(patienceMs) });
      if (String(answer) !== line) throw new Error(`answered "${answer}" to "${line}"`);
      return "";
    },
    close: () => socket.destroy(),
  };
}

export interface Failure {
  readonly client: string;
  readonly atMs: number;
  readonly tookMs: number;
  readonly reason: string;
}

export interface Load {
  readonly failures: readonly Failure[];
  readonly answered: () => number;
  /** Clients that have asked and have no answer yet. */
  readonly waiting: () => readonly string[];
  /** Resolves when every client has its last answer. */
  readonly stop: () => Promise<void>;
}

export interface LoadOptions {
  readonly gapMs: number;
  readonly random: () => number;
  /** Throws for a wrong answer. */
  readonly check: (answer: string, client: Client) => void;
  readonly isMuted?: (client: Client) => boolean;
}

/** Each client asks, checks its answer, and waits for up to `gapMs`. */
export function startLoad(clients: readonly Client[], { gapMs, random, check, isMuted }: LoadOptions): Load {
  const failures: Failure[] = [];
  const waiting = new Set<string>();
  let answered = 0;
  let stopped = false;
  const loops = clients.map(async (client) => {
    while (!stopped) {
      if (isMuted?.(client)) {
        await pause(20);
        continue;
      }
      waiting.add(client.name);
      const atMs = performance.now();
      try {
        check(await client.ask(), client);
        answered += 1;
      } catch (error) {
        const reason = error instanceof Error ? `${error.message} ${error.cause ?? ""}` : String(error);
        failures.push({ client: client.name, atMs, tookMs: performance.now() - atMs, reason });
      }
      waiting.delete(client.name);
      await pause(random() * gapMs);
    }
    client.close();
  });
  return {
    failures,
    answered: () => answered,
    waiting: () => [...waiting],
    async stop() {
      stopped = true;
      await Promise.all(loops);
    },
  };
}
