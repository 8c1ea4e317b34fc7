/** Asks and answers over TCP and UDP: who is there, and whom does it see. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect, createServer } from "node:net";

export interface Question {
  readonly protocol: "tcp" | "udp";
  readonly address: string;
  readonly port: number;
  /** Own address to ask from. */
  readonly from?: string;
  readonly deadlineMs?: number;
}

/** "NAME PEER", where PEER is the asker's address as the answerer sees it; or "!CODE", where "!silence" is no answer. */
export type Answer = string;

const patientMs = 10_000;

export const ask = (question: Question): Promise<Answer> =>
  question.protocol === "tcp" ? askTcp(question) : askUdp(question);

/** Answers on all addresses, with TCP and UDP; returns what ends it. */
export async function answer(name: string, port: number): Promise<() => void> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.end(`${name} ${socket.remoteAddress}`);
  });
  server.listen(port, "0.0.0.0");
  await once(server, "listening");
  const socket = createSocket("udp4");
  socket.on("message", (_, peer) => socket.send(`${name} ${peer.address}`, peer.port, peer.address));
  socket.bind(port, "0.0.0.0");
  await once(socket, "listening");
  return () => {
    server.close();
    socket.close();
  };
}

function askTcp({ address, port, from, deadlineMs }: Question): Promise<Answer> {
  const { promise, resolve } = Promise.withResolvers<Answer>();
  const socket = connect({ host: address, port, localAddress: from });
  let text = "";
  socket.setTimeout(deadlineMs ?? patientMs, () => resolve("!silence"));
  socket.on("data", (chunk) => {
    text += chunk.toString();
  });
  socket.on("end", () => resolve(text));
  socket.on("error", (error: NodeJS.ErrnoException) => resolve(`!${error.code}`));
  return promise.finally(() => socket.destroy());
}

function askUdp({ address, port, from, deadlineMs }: Question): Promise<Answer> {
  const { promise, resolve } = Promise.withResolvers<Answer>();
  const socket = createSocket("udp4");
  const timer = setTimeout(() => resolve("!silence"), deadlineMs ?? patientMs);
  socket.on("message", (message) => resolve(message.toString()));
  socket.on("error", (error: NodeJS.ErrnoException) => resolve(`!${error.code}`));
  socket.bind({ port: 0, address: from }, () => {
    // Connected, so that an ICMP refusal is reported.
    socket.connect(port, address, () => socket.send("who"));
  });
  return promise.finally(() => {
    clearTimeout(timer);
    socket.close();
  });
}
