import type { ImagesQuery } from "@uni/contract/operations";
import type { Static } from "typebox";
import type { Call } from "./call.ts";
import type { ImagesPort } from "./images-port.ts";
import { type Answer, items } from "./outcome.ts";

export async function getImages(images: ImagesPort, call: Call): Promise<Answer> {
  const { digest, tag } = call.query as Static<typeof ImagesQuery>;
  return items(await images.list(call.account, { digest, tag }));
}
