/**
 * An SSH agent for the steps of a build: a socket in the build's own directory, whose requests somebody else answers, one after
 * the other.
 */
import { createServer, type Socket } from "node:net";
import { takeMessage, withLength } from "@uni/contract/agent-messages";

/** One message, without its length, and the answer to it. */
export type AskAgent = (message: Uint8Array) => Promise<Uint8Array>;

export async function serveAgent(path: string, ask: AskAgent): Promise<AsyncDisposable> {
  const open = new Set<Socket>();
  let asked: Promise<unknown> = Promise.resolve();
  const inTurn: AskAgent = (message) => {
    const answer = asked.then(() => ask(message));
    asked = answer.catch(() => {});
    return answer;
  };
  const server = createServer((socket) => {
    open.add(socket);
    socket.once("close", () => open.delete(socket));
    socket.on("error", () => {});
    // Who asks what is no message, or has no answer, is hung up on: to a client that is an agent without keys.
    serve(socket, inTurn).catch(() => socket.destroy());
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  server.listen({ path, readableAll: false, writableAll: false }, resolve);
  await promise;
  return {
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      await new Promise<void>((closed) => server.close(() => closed()));
    },
  };
}

async function serve(socket: Socket, ask: AskAgent): Promise<void> {
  let bytes = Buffer.alloc(0);
  for await (const chunk of socket) {
    bytes = Buffer.concat([bytes, chunk as Buffer]);
    for (let message = takeMessage(bytes); message !== undefined; message = takeMessage(bytes)) {
      bytes = bytes.subarray(4 + message.length);
      socket.write(withLength(await ask(message)));
    }
  }
  socket.end();
}
