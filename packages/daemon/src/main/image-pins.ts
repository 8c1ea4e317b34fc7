import type { AccountId } from "@uni/contract/ids";
import type { PinImageItem, PinnedImage } from "@uni/contract/resources/image";
import type { PinRow, Pins } from "../images/pins/pins.ts";
import type { Images } from "../images/port.ts";
import { parseReference } from "../images/reference.ts";
import { pullRequestOf } from "./pull-request.ts";

/** `images` are those of the account. */
export function createPinsPort(images: Images, pins: Pins, account: AccountId) {
  return {
    async pin(item: PinImageItem, waitMs: number): Promise<PinnedImage> {
      const { url, autokill } = item;
      parseReference(url);
      const request = { account, url, pull: pullRequestOf(item), idleMs: autokill?.time_ms ?? 0 };
      return show(images, await pins.pin(request, waitMs));
    },
    pins: () =>
      Promise.all(
        pins
          .all()
          .filter((row) => row.account === account)
          .map((row) => show(images, row)),
      ),
    async unpin(uuid: string) {
      const row = await pins.unpin(account, uuid);
      return { uuid, name: nameOf(row) };
    },
  };
}

const nameOf = ({ url }: PinRow): string => parseReference(url).name;

async function show(images: Images, row: PinRow): Promise<PinnedImage> {
  const image = (await images.list()).find(({ digest }) => digest === row.digest);
  return {
    uuid: row.uuid,
    name: nameOf(row),
    created_at: new Date(row.createdAt).toISOString(),
    state: row.digest === null ? "pending" : "ready",
    url: row.url,
    persistent: true,
    tags: [...(image?.references ?? [])],
  };
}
