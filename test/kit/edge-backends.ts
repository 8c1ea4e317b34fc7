/** Small servers in the place of instances, each on a loopback address of its own. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { after } from "node:test";

export interface TestBackend {
  readonly name: string;
  readonly address: string;
  /** Requests taken so far. */
  readonly requests: () => number;
  /** A request waits for `answerHeld`. */
  readonly isHolding: () => boolean;
  /** Open requests are answered. */
  readonly answerHeld: () => void;
  readonly close: () => Promise<void>;
}

export const backendPort = 8080;

/** `/held…` waits for `answerHeld`, `…timed` has a `Server-Timing` of its own, `/status/N` the status N; everything else says who answers, and which headers came. */
export async function startBackend(name: string, address: string): Promise<TestBackend> {
  const held: ServerResponse[] = [];
  let requests = 0;
  const server = createServer((request, response) => {
    requests += 1;
    if (request.url?.endsWith("timed")) response.setHeader("server-timing", "db;dur=3");
    const status = /^\/status\/(\d+)$/.exec(request.url ?? "")?.[1];
    if (status !== undefined) response.statusCode = Number(status);
    if (request.url?.startsWith("/held")) held.push(response);
    else if (request.url === "/events") sendEvents(response);
    else response.end(JSON.stringify({ name, url: request.url, headers: request.headers }));
  });
  server.on("upgrade", acceptUpgrade);
  await listen(server, address);
  return {
    name,
    address,
    requests: () => requests,
    isHolding: () => held.length > 0,
    answerHeld: () => {
      for (const response of held.splice(0)) response.end(JSON.stringify({ name }));
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

/** The same, until the test file's last test is over. */
export async function backendForFile(name: string, address: string): Promise<TestBackend> {
  const backend = await startBackend(name, address);
  after(() => backend.close());
  return backend;
}

async function listen(server: Server, address: string): Promise<void> {
  server.listen(backendPort, address);
  await once(server, "listening");
}

/** The first event, and nothing more: whoever buffers it never delivers it. */
function sendEvents(response: ServerResponse): void {
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.write("data: first\n\n");
}

/** Not a WebSocket's frames, only its handshake (RFC 6455, 4.2.2) and then an echo: the edge looks at no more. */
function acceptUpgrade({ headers }: IncomingMessage, socket: Socket): void {
  const accept = createHash("sha1")
    .update(`${headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
    .digest("base64");
  socket.write(
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n" +
      `Sec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  socket.pipe(socket);
}
