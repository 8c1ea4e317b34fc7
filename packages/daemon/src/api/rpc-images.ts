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
    "Image.List": async (_params: unknown, { account }: RpcContext): Promise<RpcAnswer> =>
      value(await images.of(account).details()),
    "Image.Get": async ({ reference }: RpcParams<"Image.Get">, { account }: RpcContext): Promise<RpcAnswer> =>
      value(await images.of(account).detail(reference)),
    "Image.History": async (
      { reference }: RpcParams<"Image.History">,
      { account }: RpcContext,
    ): Promise<RpcAnswer> => value(await images.of(account).history(reference)),
    "Image.Remove": async (
      { reference }: RpcParams<"Image.Remove">,
      { account }: RpcContext,
    ): Promise<RpcAnswer> => value(await images.of(account).remove(reference)),
    "Image.Tag": async (
      { source, reference }: RpcParams<"Image.Tag">,
      { account }: RpcContext,
    ): Promise<RpcAnswer> => {
      await images.of(account).tag(source, reference);
      return done;
    },
    "Image.Prune": async (
      { build_cache = false, boot_cache = false }: RpcParams<"Image.Prune">,
      { account }: RpcContext,
    ): Promise<RpcAnswer> =>
      value({
        freed_bytes: await images.of(account).prune({ buildCache: build_cache, bootCache: boot_cache }),
      }),
    "Image.Build": (params: RpcParams<"Image.Build">, { account }: RpcContext): RpcAnswer =>
      frames((channel) => {
        const { upload, ask } = uploadWithAgent(channel, (params.ssh_agent ?? []).length > 0);
        return images.of(account).build({ upload, ask }, params, reportTo(channel), channel.signal);
      }),
    "Image.Pull": (params: RpcParams<"Image.Pull">, { account }: RpcContext): RpcAnswer =>
      frames((channel) => images.of(account).pull(params, reportTo(channel), channel.signal)),
    "Image.Load": ({ reference }: RpcParams<"Image.Load">, { account }: RpcContext): RpcAnswer =>
      frames((channel) =>
        images.of(account).load(channel.upload(), reference, reportTo(channel), channel.signal),
      ),
    "Image.Search": async (
      { term }: RpcParams<"Image.Search">,
      { account }: RpcContext,
    ): Promise<RpcAnswer> => value(await images.of(account).search(term)),
    "Image.Pins": async (_params: unknown, { account }: RpcContext): Promise<RpcAnswer> =>
      value(await images.of(account).pins()),
    "Image.Push": (params: RpcParams<"Image.Push">, { account }: RpcContext): RpcAnswer =>
      frames((channel) => images.of(account).push(params, reportTo(channel), channel.signal)),
    "Image.Save": (params: RpcParams<"Image.Save">, { account }: RpcContext): RpcAnswer =>
      frames((channel) => sendBytes(channel, images.of(account).save(params, channel.signal))),
    "Image.Files": (
      { recursive = false, ...place }: RpcParams<"Image.Files">,
      { account }: RpcContext,
    ): RpcAnswer =>
      frames(async (channel) => {
        let entries = 0;
        for await (const entry of images.of(account).files(place, recursive, channel.signal)) {
          entries++;
          await channel.sendJson(frameKinds.event, entry);
        }
        return { entries };
      }),
    "Image.ReadFile": (place: RpcParams<"Image.ReadFile">, { account }: RpcContext): RpcAnswer =>
      frames((channel) => sendBytes(channel, images.of(account).readFile(place, channel.signal))),
    "Image.CopyOut": (
      { follow_link = false, ...place }: RpcParams<"Image.CopyOut">,
      { account }: RpcContext,
    ): RpcAnswer =>
      frames((channel) => sendBytes(channel, images.of(account).copyOut(place, follow_link, channel.signal))),
  };
}
