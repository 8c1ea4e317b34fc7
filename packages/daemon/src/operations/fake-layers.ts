/** Disks that hold nothing but the name of what they stand on, for tests of what stands above them. */
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DiskLayers, nextName, overlayName } from "../volumes/disk-layers.ts";
import type { WritableLayers } from "../volumes/writable-layer.ts";

export function createFakeLayers(layersDirectory: string): WritableLayers {
  const pristine = `${layersDirectory}-pristine`;
  mkdirSync(layersDirectory, { recursive: true });
  writeFileSync(pristine, "");
  const frozen = new DiskLayers({
    directory: layersDirectory,
    pristine,
    copyTemplate: async (path) => writeFileSync(path, emptyOverlay(pristine)),
  });
  return {
    frozen,
    async ensure(directory, uid, over) {
      await frozen.completeSwitch(directory);
      const overlay = join(directory, overlayName);
      if (existsSync(overlay)) return overlay;
      if (over === undefined) writeFileSync(overlay, emptyOverlay(pristine));
      else await frozen.makeOverlay(overlay, over, uid);
      return overlay;
    },
    async drop(directory) {
      for (const name of [nextName, overlayName]) rmSync(join(directory, name), { force: true });
    },
  };
}

/** A qcow2 header (QEMU: docs/interop/qcow2.txt) and the name of its backing file. */
function emptyOverlay(backing: string): Buffer {
  const [nameAt, clusterBits] = [512, 12];
  const file = Buffer.alloc(2 ** clusterBits);
  file.writeUInt32BE(0x514649fb, 0);
  file.writeUInt32BE(3, 4);
  file.writeBigUInt64BE(BigInt(nameAt), 8);
  file.writeUInt32BE(backing.length, 16);
  file.writeUInt32BE(clusterBits, 20);
  file.write(backing, nameAt);
  return file;
}
