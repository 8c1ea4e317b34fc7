import type { Progress } from "@uni/contract/rpc";
import type { RpcParams } from "@uni/contract/rpc-methods";
import { frameKinds } from "@uni/contract/stream-frames";
import type { FrameChannel } from "./frame-channel.ts";
import type { ImagesPort } from "./images-port.ts";
import { done, frames, type RpcAnswer, type RpcContext, sendBytes, value } from "./rpc-answer.ts";
import { uploadWithAgent } from "./upload-with-agent.ts";

export const reportTo = (channel: FrameChannel) => (progress: Progress) =>
  channel.sendIfReady(frameKinds.progress, progress);

export function imageMethods(images: ImagesPort) {
  return {
    "Image.List": async (): Promise<RpcAnswer> => value(await images.details()),
    "Image.Get": async ({ reference }: RpcParams<"Image.Get">): Promise<RpcAnswer> =>
      value(await images.detail(reference)),
    "Image.History": async ({ reference }: RpcParams<"Image.History">): Promise<RpcAnswer> =>
      value(await images.history(reference)),
    "Image.Remove": async ({ reference }: RpcParams<"Image.Remove">): Promise<RpcAnswer> =>
      value(await images.remove(reference)),
    "Image.Tag": async ({ source, reference }: RpcParams<"Image.Tag">): Promise<RpcAnswer> => {
      await images.tag(source, reference);
      return done;
    },
    "Image.Prune": async ({
      build_cache = false,
      boot_cache = false,
    }: RpcParams<"Image.Prune">): Promise<RpcAnswer> =>
      value({ freed_bytes: await images.prune({ buildCache: build_cache, bootCache: boot_cache }) }),
    "Image.Build": (params: RpcParams<"Image.Build">): RpcAnswer =>
      frames((channel) => {
        const { upload, ask } = uploadWithAgent(channel, (params.ssh_agent ?? []).length > 0);
        return images.build({ upload, ask }, params, reportTo(channel), channel.signal);
      }),
    "Image.Pull": (params: RpcParams<"Image.Pull">): RpcAnswer =>
      frames((channel) => images.pull(params, reportTo(channel), channel.signal)),
    "Image.Load": ({ reference }: RpcParams<"Image.Load">): RpcAnswer =>
      frames((channel) => images.load(channel.upload(), reference, reportTo(channel), channel.signal)),
    "Image.Search": async ({ term }: RpcParams<"Image.Search">): Promise<RpcAnswer> =>
      value(await images.search(term)),
    "Image.Pins": async (_params: RpcParams<"Image.Pins">, { account }: RpcContext): Promise<RpcAnswer> =>
      value(await images.pins(account)),
    "Image.Push": (params: RpcParams<"Image.Push">): RpcAnswer =>
      frames((channel) => images.push(params, reportTo(channel), channel.signal)),
    "Image.Save": (params: RpcParams<"Image.Save">): RpcAnswer =>
      frames((channel) => sendBytes(channel, images.save(params, channel.signal))),
    "Image.Files": ({ recursive = false, ...place }: RpcParams<"Image.Files">): RpcAnswer =>
      frames(async (channel) => {
        let entries = 0;
        for await (const entry of images.files(place, recursive, channel.signal)) {
          entries++;
          await channel.sendJson(frameKinds.event, entry);
        }
        return { entries };
      }),
    "Image.ReadFile": (place: RpcParams<"Image.ReadFile">): RpcAnswer =>
      frames((channel) => sendBytes(channel, images.readFile(place, channel.signal))),
    "Image.CopyOut": ({ follow_link = false, ...place }: RpcParams<"Image.CopyOut">): RpcAnswer =>
      frames((channel) => sendBytes(channel, images.copyOut(place, follow_link, channel.signal))),
  };
}
