/** The client's end of a tunnel: a port of this machine, each of whose connections is one VM.Tunnel. */
import { once } from "node:events";
import { type AddressInfo, createServer, isIPv6, type Server, type Socket } from "node:net";
import { type ErrorCode, UniError } from "@uni/contract/errors";
import { frameKinds } from "@uni/contract/stream-frames";
import type { FrameStream } from "@uni/sdk/frame-stream";
import type { Context } from "./context.ts";
import type { TunnelTarget } from "./parse/tunnel.ts";
import { reportError } from "./report-error.ts";

export interface Listening {
  readonly address: string;
  readonly close: () => void;
}

/** A connection that fails is reset and said on stderr; the next one is tried anew. */
export async function openTunnel(context: Context, target: TunnelTarget): Promise<Listening> {
  const { client, out, signal } = context;
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (local) => {
    open.add(local);
    local.once("close", () => open.delete(local));
    const stream = client.open("VM.Tunnel", { id: target.instance, port: target.port }, { signal });
    carry(local, stream).catch((error: unknown) => {
      if (!signal.aborted) reportError(error, out.format, out.stderr);
    });
  });
  await listen(server, target);
  return {
    address: addressOf(server),
    close() {
      server.close();
      for (const local of open) local.resetAndDestroy();
    },
  };
}

async function carry(local: Socket, opening: Promise<FrameStream<unknown>>): Promise<void> {
  let stream: FrameStream<unknown> | undefined;
  let isLeft = false;
  // Who leaves without a word breaks it off for the instance as well.
  local.on("error", () => {
    isLeft = true;
    stream?.close();
  });
  try {
    stream = await opening;
    if (isLeft) return stream.close();
    // What cannot be sent any more is no failure of its own: reading tells why.
    send(local, stream).catch(() => {});
    await receive(local, stream);
  } catch (error) {
    if (isLeft) return;
    local.resetAndDestroy();
    throw error;
  }
}

async function send(local: Socket, stream: FrameStream<unknown>): Promise<void> {
  // The usual iteration would destroy the socket at its end, and with it the way back.
  for await (const chunk of local.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    await stream.writeAll(frameKinds.data, chunk);
  }
  await stream.write(frameKinds.end, new Uint8Array());
}

async function receive(local: Socket, stream: FrameStream<unknown>): Promise<void> {
  for await (const { kind, payload } of stream) {
    if (kind === frameKinds.end) local.end();
    else if (kind === frameKinds.data && !local.write(payload) && !local.destroyed) {
      await room(local);
    }
  }
}

/** Also resolves when the socket is gone: nothing more has to wait for it. */
function room(local: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      local.off("drain", done).off("close", done);
      resolve();
    };
    local.on("drain", done).on("close", done);
  });
}

const reasons: Readonly<Record<string, { readonly code: ErrorCode; readonly reason: string }>> = {
  EADDRINUSE: { code: "port_in_use", reason: "another program has it" },
  EACCES: { code: "not_allowed", reason: "ports below 1024 are for root" },
  EADDRNOTAVAIL: { code: "invalid_value", reason: "this machine has no such address" },
};

async function listen(server: Server, { address, localPort }: TunnelTarget): Promise<void> {
  const listening = once(server, "listening");
  server.listen(localPort, address);
  try {
    await listening;
  } catch (cause) {
    const { code: number = "", message } = cause as NodeJS.ErrnoException;
    const { code, reason } = reasons[number] ?? { code: "failed", reason: message };
    throw new UniError(code, `listening on ${addressText(address, localPort)}: ${reason}`, {
      hint: "Leave the local port out to have a free one.",
      cause,
    });
  }
}

function addressOf(server: Server): string {
  const { address, port } = server.address() as AddressInfo;
  return addressText(address, port);
}

const addressText = (address: string, port: number): string =>
  `${isIPv6(address) ? `[${address}]` : address}:${port}`;
