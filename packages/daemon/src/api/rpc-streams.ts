/** The VM methods that open a stream. */
import type { Duplex } from "node:stream";
import { UniError } from "@uni/contract/errors";
import type { RpcParams } from "@uni/contract/rpc-methods";
import { frameKinds } from "@uni/contract/stream-frames";
import type { FrameChannel } from "./frame-channel.ts";
import type { InstancesPort } from "./port.ts";
import { frames, type RpcAnswer, type RpcContext, sendBytes, value } from "./rpc-answer.ts";
import { serveConsole, serveExec } from "./rpc-exec.ts";
import { serveTunnel } from "./rpc-tunnel.ts";
import { wholeLog } from "./rpc-vm.ts";

export function vmStreamMethods(instances: InstancesPort) {
  const find = (id: string, { account }: RpcContext) => instances.resolveLoose(account, id);
  return {
    "VM.Logs": async (params: RpcParams<"VM.Logs">, context: RpcContext): Promise<RpcAnswer> => {
      const id = find(params.id, context);
      const { follow = false, tail, since, partial } = params;
      if (!follow && tail === undefined && since === undefined) {
        return value({ id, logs: await wholeLog(instances, id) });
      }
      const options = { follow, partial, tail, sinceMs: since === undefined ? undefined : readTime(since) };
      return frames(async (channel) => {
        const lines = instances.logLines(id, options, channel.signal);
        for await (const line of lines) await channel.sendJson(frameKinds.event, line);
        return { id };
      });
    },
    "VM.Attach": async ({ id }: RpcParams<"VM.Attach">, context: RpcContext): Promise<RpcAnswer> => {
      const console = await instances.attach(find(id, context), context.signal);
      return { kind: "raw", run: (connection, signal) => joinConsole(console, connection, signal) };
    },
    "VM.Console": async (
      { id, ...params }: RpcParams<"VM.Console">,
      context: RpcContext,
    ): Promise<RpcAnswer> => {
      const session = await instances.console(find(id, context), params, context.signal);
      return frames((channel) => serveConsole(session, channel));
    },
    "VM.Exec": async ({ id, ...params }: RpcParams<"VM.Exec">, context: RpcContext): Promise<RpcAnswer> => {
      const session = await instances.exec(find(id, context), params, context.signal);
      return frames((channel) => serveExec(session, channel));
    },
    "VM.Tunnel": ({ id, port }: RpcParams<"VM.Tunnel">, context: RpcContext): RpcAnswer => {
      const found = find(id, context);
      const what = `connection to port ${port} of instance '${instances.get(found).name}'`;
      return frames(async (channel) =>
        serveTunnel(await instances.dial(found, port, channel.signal), channel, what),
      );
    },
    "VM.CopyOut": async ({ id, path }: RpcParams<"VM.CopyOut">, context: RpcContext): Promise<RpcAnswer> => {
      const tar = await instances.copyOut(find(id, context), path, context.signal);
      return frames((channel) => sendBytes(channel, tar as AsyncIterable<Buffer>));
    },
    "VM.CopyIn": ({ id, ...params }: RpcParams<"VM.CopyIn">, context: RpcContext): RpcAnswer => {
      const found = find(id, context);
      return frames((channel: FrameChannel) =>
        instances.copyIn(found, params, channel.upload(), channel.signal),
      );
    },
  };
}

function readTime(text: string): number {
  const time = Date.parse(text);
  if (Number.isNaN(time)) throw new UniError("invalid_value", `Member 'since' is no time: '${text}'`);
  return time;
}

/** A slow client slows down the reading of the console alone: the core promises that the instance does not wait for it. */
function joinConsole(console: Duplex, connection: Duplex, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const leave = () => {
    console.destroy();
    resolve();
  };
  if (signal.aborted) leave();
  signal.addEventListener("abort", leave, { once: true });
  console.once("close", resolve).once("end", resolve).once("error", resolve);
  console.pipe(connection, { end: false });
  connection.pipe(console, { end: false });
  return promise;
}
