import type { Envelope } from "@uni/contract/envelope";
import { frameKinds } from "@uni/contract/stream-frames";
import type { CallOptions, UniClient } from "./client.ts";
import { FrameStream, jsonPayload } from "./frame-stream.ts";
import { callOnce, request } from "./json-rpc.ts";

async function open<Result>(
  path: string,
  method: string,
  params: unknown,
  options: CallOptions | undefined,
): Promise<FrameStream<Result>> {
  const { socket } = await request(path, method, params, options);
  return new FrameStream<Result>(socket, method, options?.signal);
}

async function* events<Event>(
  path: string,
  method: string,
  params: unknown,
  options: CallOptions | undefined,
): AsyncGenerator<Event, void, undefined> {
  const stream = await open(path, method, params, options);
  for await (const frame of stream) {
    if (frame.kind === frameKinds.event) yield jsonPayload(frame) as Event;
  }
}

/** A client on the daemon's unix socket; each call has a connection of its own, so that calls cannot hold each other up. */
export function createSocketClient(path: string): UniClient {
  return {
    call: (method, params, options) => callOnce(path, method, params, options) as never,
    open: (method, params, options) => open(path, method, params, options),
    events: (method, params, options) => events(path, method, params, options),
    attach: async (id, options) => (await request(path, "VM.Attach", { id }, options)).socket,
    operation: async (id, params, options) => (await callOnce(path, id, params, options)) as Envelope,
  };
}
