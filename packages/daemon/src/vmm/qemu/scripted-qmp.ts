/** A QMP server for tests: answers by the script, sends events, drops its client. */
import { createServer, type Server, type Socket } from "node:net";
import { messageOf } from "../../base/message-of.ts";

/** What it returns or resolves with is the answer; none if that is undefined. */
export type Script = (command: string, args: unknown) => unknown;

export class ScriptedQmp {
  readonly commands: string[] = [];
  /** As they came. */
  readonly lines: string[] = [];
  readonly #server: Server;
  readonly #clients = new Set<Socket>();
  #script: Script;

  private constructor(script: Script) {
    this.#script = script;
    this.#server = createServer((socket) => this.#serve(socket));
  }

  static async listen(path: string, script: Script): Promise<ScriptedQmp> {
    const server = new ScriptedQmp(script);
    await new Promise<void>((resolve) => server.#server.listen(path, resolve));
    return server;
  }

  set script(script: Script) {
    this.#script = script;
  }

  send(text: string): void {
    for (const client of this.#clients) client.write(text);
  }

  event(event: string, data: object = {}): void {
    this.send(`${JSON.stringify({ event, data, timestamp: { seconds: 0, microseconds: 0 } })}\n`);
  }

  drop(): void {
    for (const client of this.#clients) client.destroy();
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.drop();
    await closed;
  }

  #serve(socket: Socket): void {
    this.#clients.add(socket);
    socket.on("close", () => this.#clients.delete(socket));
    socket.on("error", () => {});
    socket.write(`${JSON.stringify({ QMP: { version: {}, capabilities: [] } })}\n`);
    let pending = "";
    socket.on("data", (bytes) => {
      pending += bytes;
      const lines = pending.split("\n");
      pending = lines.pop() ?? "";
      // As QEMU, which waits for no end of a line.
      if (isWhole(pending)) {
        lines.push(pending);
        pending = "";
      }
      this.lines.push(...lines);
      for (const line of lines) if (line !== "") void this.#answer(socket, JSON.parse(line));
    });
  }

  async #answer(
    socket: Socket,
    { execute, arguments: args = {} }: { execute: string; arguments?: unknown },
  ): Promise<void> {
    this.commands.push(execute);
    if (execute === "qmp_capabilities") return void socket.write(`${JSON.stringify({ return: {} })}\n`);
    try {
      const answer = await this.#script(execute, args);
      if (answer !== undefined) socket.write(`${JSON.stringify({ return: answer })}\n`);
    } catch (error) {
      const desc = messageOf(error);
      socket.write(`${JSON.stringify({ error: { class: "GenericError", desc } })}\n`);
    }
  }
}

function isWhole(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
