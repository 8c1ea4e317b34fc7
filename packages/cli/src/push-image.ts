import type { RpcResults } from "@uni/contract/rpc-methods";
import type { Context } from "./context.ts";
import { findCredentials } from "./credentials/find-credentials.ts";
import { progressLines } from "./progress-lines.ts";

/** To the registry that the destination names: the reference itself where there is none. */
export async function pushImage(
  context: Context,
  reference: string,
  destination: string | undefined,
): Promise<RpcResults["Image.Push"]> {
  const { client, out, signal } = context;
  const credentials = await findCredentials(context, destination ?? reference);
  const params = {
    reference,
    ...(destination === undefined ? {} : { destination }),
    ...(credentials === undefined ? {} : { credentials }),
  };
  const stream = await client.open("Image.Push", params, { signal });
  const progress = progressLines(out, `pushing ${destination ?? reference}`);
  try {
    return await stream.finish(progress.onFrame);
  } finally {
    progress.done();
  }
}
