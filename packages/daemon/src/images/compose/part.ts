/** Images that are put together of others: each part brings layers and a config, and is read like any image. */
import type { Descriptor } from "../oci.ts";
import type { ImageSource } from "../sources.ts";

export interface Part {
  readonly descriptor: Descriptor;
  readonly source: ImageSource;
}
