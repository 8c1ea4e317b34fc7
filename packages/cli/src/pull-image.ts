import type { PullPolicy } from "@uni/contract/enums";
import type { ImageDetail } from "@uni/contract/rpc";
import type { Context } from "./context.ts";
import { findCredentials } from "./credentials/find-credentials.ts";
import { progressLines } from "./progress-lines.ts";

/** Has the daemon pull an image, and shows how it gets on. */
export async function pullImage(
  context: Context,
  { reference, policy }: { readonly reference: string; readonly policy: PullPolicy },
): Promise<ImageDetail> {
  const { client, out, signal } = context;
  const credentials = await findCredentials(context, reference);
  const params = { reference, policy, ...(credentials === undefined ? {} : { credentials }) };
  const stream = await client.open("Image.Pull", params, { signal });
  const progress = progressLines(out, `pulling ${reference}`);
  try {
    return await stream.finish(progress.onFrame);
  } finally {
    progress.done();
  }
}
