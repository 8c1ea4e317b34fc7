import type { PullPolicy } from "@uni/contract/enums";
import type { ImageDetail } from "@uni/contract/rpc";
import type { Context } from "./context.ts";
import { progressLines } from "./progress-lines.ts";

/** Has the daemon pull an image, and shows how it gets on. */
export async function pullImage(
  { client, out, signal }: Context,
  { reference, policy }: { readonly reference: string; readonly policy: PullPolicy },
): Promise<ImageDetail> {
  const stream = await client.open("Image.Pull", { reference, policy }, { signal });
  const progress = progressLines(out, `pulling ${reference}`);
  try {
    return await stream.finish(progress.onFrame);
  } finally {
    progress.done();
  }
}
