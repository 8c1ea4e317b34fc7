import { UniError } from "@uni/contract/errors";
import type { ImagesQuery } from "@uni/contract/operations";
import type { PinImageItem, UnpinImageItem } from "@uni/contract/resources/image";
import type { Static } from "typebox";
import type { Call } from "./call.ts";
import { readImage } from "./image-rules.ts";
import type { ImagesPort } from "./images-port.ts";
import { type Answer, items } from "./outcome.ts";
import { attempt, readUuid } from "./references.ts";

export async function getImages(images: ImagesPort, call: Call): Promise<Answer> {
  const { digest, tag } = call.query as Static<typeof ImagesQuery>;
  return items(await images.of(call.account).list({ digest, tag }));
}

export async function getImageStore(images: ImagesPort, call: Call): Promise<Answer> {
  const { digest, tag } = call.query as Static<typeof ImagesQuery>;
  return items(await images.of(call.account).store({ digest, tag }));
}

/** Side by side: they wait for their pulls. */
export async function pinImages(images: ImagesPort, call: Call): Promise<Answer> {
  const wanted = call.body as readonly PinImageItem[];
  if (wanted.some(({ timeout_s }) => timeout_s === 0)) {
    throw new UniError("invalid_value", "Member 'timeout_s' must not be 0", {
      hint: "-1 waits for as long as a pull may take.",
    });
  }
  for (const { timeout_s: _, autokill: __, ...image } of wanted) readImage(image);
  const pinned = wanted.map((item) =>
    attempt(call.log, {}, async () => ({
      status: "success" as const,
      ...(await images
        .of(call.account)
        .pin(item, item.timeout_s < 0 ? Number.POSITIVE_INFINITY : item.timeout_s * 1000)),
    })),
  );
  return items(await Promise.all(pinned));
}

/** One after the other, for several items may be about the same pin. */
export async function unpinImages(images: ImagesPort, call: Call): Promise<Answer> {
  const answers: object[] = [];
  for (const given of call.body as readonly UnpinImageItem[]) {
    const uuid = readUuid(given.uuid);
    answers.push(
      await attempt(call.log, { uuid }, async () => ({
        status: "success" as const,
        ...(await images.of(call.account).unpin(uuid)),
      })),
    );
  }
  return items(answers);
}
