/** What a user of the published package @unikraft/cloud does with images. */
import assert from "node:assert/strict";
import { UnikraftCloud } from "@unikraft/cloud";

/** `name:latest` is here and not pinned; leaves it so. */
export async function unikraftImagesScenario(baseUrl: string, token: string, name: string): Promise<void> {
  const { images } = new UnikraftCloud({ token, baseUrl, controlPlaneUrl: baseUrl }).api.platform;
  const listed = async (filter: { tag?: string; digest?: string }) =>
    (await images.getImages(filter)).data?.images ?? [];
  const [image, ...others] = await listed({ tag: `${name}:latest` });
  assert.ok(image !== undefined && others.length === 0);
  const digest = image.url.split("@")[1] ?? "";
  assert.match(digest, /^sha256:[0-9a-f]{64}$/);
  assert.ok(image.tags?.includes(`${name}:latest`) && image.tags.includes(digest));
  assert.ok(image.size_in_bytes > 0 && !image.initrd_or_rom && !("persistent" in image));
  assert.equal((await listed({ digest })).length, 1);
  assert.deepEqual(await listed({ tag: `${name}:none` }), []);

  const store = (await images.getImageStore({ digest })).data?.images ?? [];
  assert.deepEqual([store[0]?.url, store[0]?.tags], [image.url, ["latest"]]);

  const body = [{ url: name, timeout_s: -1, pull_policy: "if_not_present" as const }];
  const [pin] = (await images.pinImages({ body })).data?.images ?? [];
  assert.deepEqual([pin?.status, pin?.state, pin?.url, pin?.persistent], ["success", "ready", name, true]);
  assert.ok(pin?.tags?.includes(`${name}:latest`) && pin?.created_at !== undefined);
  assert.equal((await listed({ digest }))[0]?.persistent, true);
  const uuid = pin?.uuid ?? "";
  const [unpinned] = (await images.unpinImages({ body: [{ uuid }] })).data?.images ?? [];
  assert.deepEqual([unpinned?.status, unpinned?.uuid, unpinned?.name], ["success", uuid, name]);
  assert.ok(!("persistent" in ((await listed({ digest }))[0] ?? { persistent: true })));
}
