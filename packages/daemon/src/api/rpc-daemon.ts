import type { RpcParams } from "@uni/contract/rpc-methods";
import { frameKinds } from "@uni/contract/stream-frames";
import type { KernelsPort, NodePort } from "./port.ts";
import { done, frames, type RpcAnswer, type RpcContext, value } from "./rpc-answer.ts";
import { reportTo } from "./rpc-images.ts";

export function kernelMethods(kernels: KernelsPort) {
  return {
    "Kernel.List": async (): Promise<RpcAnswer> => value(await kernels.list()),
    "Kernel.Use": async ({ version }: RpcParams<"Kernel.Use">): Promise<RpcAnswer> =>
      value(await kernels.use(version)),
    "Kernel.Check": async (): Promise<RpcAnswer> => {
      const { installed, latest, updateAvailable } = await kernels.check();
      return value({ installed, latest, update_available: updateAvailable });
    },
    "Kernel.Update": (): RpcAnswer => frames((channel) => kernels.update(reportTo(channel), channel.signal)),
    "Kernel.Build": (): RpcAnswer => frames((channel) => kernels.build(reportTo(channel), channel.signal)),
    "Kernel.Remove": async ({ version }: RpcParams<"Kernel.Remove">): Promise<RpcAnswer> => {
      await kernels.remove(version);
      return done;
    },
  };
}

export function daemonMethods(node: NodePort) {
  return {
    "Daemon.Version": async (): Promise<RpcAnswer> => value({ version: (await node.info()).version }),
    "Daemon.Info": async (): Promise<RpcAnswer> => value(await node.info()),
    "Daemon.DiskUsage": async (): Promise<RpcAnswer> => value(await node.diskUsage()),
    "Daemon.Doctor": async (_params: unknown, { signal }: RpcContext): Promise<RpcAnswer> =>
      value(await node.doctor(signal)),
    "Daemon.Events": (_params: unknown, { account }: RpcContext): RpcAnswer =>
      frames(async (channel) => {
        for await (const event of node.events(account, channel.signal)) {
          await channel.sendJson(frameKinds.event, event);
        }
        return { status: "ok" };
      }),
    "Daemon.Shutdown": ({ stop_instances = false }: RpcParams<"Daemon.Shutdown">): RpcAnswer => ({
      ...done,
      after: () => node.shutdown(stop_instances),
    }),
  };
}
