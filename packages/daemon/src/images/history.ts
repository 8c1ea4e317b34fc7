/** How an image was made: the steps that its config tells of, each with the layer that it left. */
import type { Digest } from "@uni/contract/ids";
import type { ImageLayer } from "@uni/contract/rpc";
import { holdImage } from "./hold-image.ts";
import { asArray, asBoolean, asObject, asString, member, optional, parseJson } from "./json-check.ts";
import type { Descriptor } from "./oci.ts";
import type { Room } from "./room.ts";
import { readStoredManifest } from "./stored-manifest.ts";

/** Newest step first. */
export async function imageHistory(room: Room, reference: string): Promise<readonly ImageLayer[]> {
  await using image = await holdImage(room, reference);
  const { manifest } = await readStoredManifest(room, image.row);
  const steps = readSteps(await room.blobs.read(manifest.config.digest), image.row.digest);
  const layers = [...manifest.layers];
  const told = steps.map((step) => withLayer(step, step.isEmpty ? undefined : layers.shift()));
  // A config need not tell of every layer.
  return [...told, ...layers.map((layer) => withLayer({}, layer))].reverse();
}

type Step = Omit<ImageLayer, "digest" | "size_bytes"> & { readonly isEmpty?: boolean };

function readSteps(config: Buffer, digest: Digest): Step[] {
  const what = `the config of image ${digest}`;
  const list = optional(member(parseJson(config, what), "history"), `${what}: history`, asArray) ?? [];
  return list.map((each, index) => {
    const at = (name: string): string => `${what}: history[${index}].${name}`;
    const json = asObject(each, at(""));
    const text = (name: string) => optional(member(json, name), at(name), asString);
    return {
      ...present("created_at", text("created")),
      ...present("created_by", text("created_by")),
      ...present("comment", text("comment")),
      isEmpty: optional(member(json, "empty_layer"), at("empty_layer"), asBoolean) ?? false,
    };
  });
}

const present = (name: string, value: string | undefined) =>
  value === undefined || value === "" ? {} : { [name]: value };

function withLayer({ isEmpty: _, ...step }: Step, layer: Descriptor | undefined): ImageLayer {
  return layer === undefined
    ? { ...step, size_bytes: 0 }
    : { ...step, digest: layer.digest, size_bytes: layer.size };
}
