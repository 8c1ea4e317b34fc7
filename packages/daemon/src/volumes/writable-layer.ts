/**
 * The writable layer of an instance: a qcow2 overlay whose backing is one empty ext4 that all instances of this daemon
 * share. Both are made once: an instance's overlay is a copy of a small template, which costs a fraction of `qemu-img`.
 */
import { constants } from "node:fs";
import { access, chmod, chown, copyFile, open, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { UniError } from "@uni/contract/errors";
import { ensureDirectory } from "../host/files.ts";
import { runOk } from "../host/process.ts";
import { DiskLayers, nextName, overlayName } from "./disk-layers.ts";

export interface WritableLayers {
  /**
   * Path of the overlay, made if it is not there, over a frozen layer if one is named; `uid` alone may open it. For a disk
   * that no process has open: what a capture left is completed, and a long chain of layers is folded.
   */
  ensure(directory: string, uid: number, over?: string): Promise<string>;
  /** What is written on the disk goes; what it stood on stays. */
  drop(directory: string): Promise<void>;
  readonly frozen: DiskLayers;
}

/** Size that the guest sees; on the host it is as large as what was written. */
const layerBytes = 10 * 2 ** 30;
const pristineName = "pristine-1.ext4";
const templateName = "overlay-1.qcow2";
/** Over another qcow2. */
const upperTemplateName = "upper-1.qcow2";

export function createWritableLayers(directory: string, layersDirectory: string): WritableLayers {
  let made: Promise<void> | undefined;
  const share = () => {
    made ??= makeShared(directory).catch((error) => {
      made = undefined;
      throw error;
    });
    return made;
  };
  const frozen = new DiskLayers({
    directory: layersDirectory,
    pristine: join(directory, pristineName),
    async copyTemplate(path) {
      await share();
      await copyFile(join(directory, upperTemplateName), path, constants.COPYFILE_FICLONE);
    },
  });
  return {
    frozen,
    async drop(target) {
      await Promise.all([nextName, overlayName].map((name) => rm(join(target, name), { force: true })));
    },
    async ensure(target, uid, over) {
      await share();
      const overlay = join(target, overlayName);
      try {
        await frozen.fold(target);
        if (await exists(overlay)) {
          await chown(overlay, uid, uid);
          return overlay;
        }
        if (over !== undefined) {
          await frozen.makeOverlay(overlay, over, uid);
          return overlay;
        }
        const aside = `${overlay}.tmp`;
        await copyFile(join(directory, templateName), aside, constants.COPYFILE_FICLONE);
        await chown(aside, uid, uid);
        await chmod(aside, 0o600);
        await rename(aside, overlay);
        return overlay;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
        throw new UniError("no_space", "make the writable layer: the disk of the data directory is full", {
          hint: "Remove instances or images, or move the data directory.",
          cause: error,
        });
      }
    },
  };
}

async function makeShared(directory: string): Promise<void> {
  await ensureDirectory(directory, 0o755);
  const pristine = join(directory, pristineName);
  if (!(await exists(pristine))) await makePristine(pristine);
  await makeTemplate(join(directory, templateName), ["-F", "raw", "-b", pristine]);
  // Its backing is written over in each copy.
  const nowhere = ["-u", "-F", "qcow2", "-b", "/nowhere"];
  await makeTemplate(join(directory, upperTemplateName), nowhere, [`${layerBytes}`]);
}

async function makeTemplate(path: string, over: readonly string[], size: readonly string[] = []) {
  if (await exists(path)) return;
  const aside = `${path}.tmp`;
  await rm(aside, { force: true });
  await runOk("qemu-img", ["create", "-q", "-f", "qcow2", ...over, aside, ...size]);
  await rename(aside, path);
}

async function makePristine(path: string): Promise<void> {
  const aside = `${path}.tmp`;
  await rm(aside, { force: true });
  const file = await open(aside, "wx", 0o444);
  await file.truncate(layerBytes);
  await file.close();
  // assume_storage_prezeroed: a sparse file reads as zeros, so the inode tables are not written, neither now nor by the
  // guest later (mke2fs(8)). No reserved blocks: the layer belongs to the program.
  const extended = "assume_storage_prezeroed=1,root_owner=0:0,nodiscard";
  await runOk("mke2fs", ["-q", "-t", "ext4", "-m", "0", "-J", "size=16", "-E", extended, "-F", aside]);
  await chmod(aside, 0o444);
  await rename(aside, path);
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** Bytes that a file really takes on the host. */
export async function bytesOnDisk(path: string): Promise<number> {
  const { blocks } = await stat(path);
  return blocks * 512;
}
