/**
 * Disks of captured machines (decision 0016). `<layers>/<id>.qcow2` is a qcow2 file that nobody writes any more. A capture
 * freezes what a machine writes: `prepareNext` gives that file a second name below `<layers>`, and puts an empty overlay
 * over it beside it, `next.qcow2`; once the machine writes there, `completeSwitch` gives the overlay the disk's own name.
 *
 * A crash at any point is repaired by `completeSwitch`: over the same file, an overlay that is still empty shows what the
 * file shows, also to a machine that never was switched and goes on writing below it.
 */
import { existsSync } from "node:fs";
import { chmod, chown, link, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { UniError } from "@uni/contract/errors";
import { ensureDirectory } from "../host/files.ts";
import { runOk } from "../host/process.ts";
import { backingChain, writeBacking } from "../host/qcow2.ts";

export const overlayName = "writable.qcow2";
export const nextName = "next.qcow2";
const layerName = /^([0-9a-f-]{36})\.qcow2$/;

/** QEMU takes a disk's layers on its command line, and every read may ask each of them. */
const mostLayers = 64;
/**
 * A disk that stands on more is folded by the monitor that writes it, before its next capture: a machine's pause grows with
 * them. The lowest ones stay, which are the most shared. As a fold copies all that lies over its ground, so do the next ones,
 * if they hold as much as all over them together.
 */
const foldAbove = 8;
/** While nothing has it open it is folded by us, which delays a start or a wake: what could not be done while it ran. */
const foldAtRestAbove = 16;
const lowest = 4;
const lowestWithLarge = 6;
const foldDeadlineMs = 600_000;

export interface DiskLayersOptions {
  /** For the layers; on the file system of the disks. */
  readonly directory: string;
  /** The lowest of every chain. */
  readonly pristine: string;
  /** Copies an empty overlay whose backing is qcow2; `writeBacking` gives it its own. */
  readonly copyTemplate: (path: string) => Promise<void>;
}

export class DiskLayers {
  readonly #options: DiskLayersOptions;

  constructor(options: DiskLayersOptions) {
    this.#options = options;
  }

  pathOf(id: string): string {
    return join(this.#options.directory, `${id}.qcow2`);
  }

  /** An empty overlay at `path` over a layer; `uid` alone may open it. */
  async makeOverlay(path: string, layer: string, uid: number): Promise<void> {
    const aside = `${path}.tmp`;
    await rm(aside, { force: true });
    await this.#options.copyTemplate(aside);
    writeBacking(aside, this.pathOf(layer));
    await chown(aside, uid, uid);
    await chmod(aside, 0o600);
    await rename(aside, path);
  }

  /** What the monitor that writes a disk is to do before it is frozen once more: undefined of a chain that is not long. */
  async foldForMonitor(disk: string): Promise<{ readonly path: string; readonly onto: string } | undefined> {
    await this.completeSwitch(disk);
    const path = join(disk, overlayName);
    const onto = await groundOf(this.#layersBelow(path), foldAbove);
    return onto === undefined ? undefined : { path, onto };
  }

  /** For a capture: the disk becomes the layer of this id. Returns the path of what is to be written then. */
  async prepareNext(disk: string, uid: number, layer: string): Promise<string> {
    await this.completeSwitch(disk);
    const overlay = join(disk, overlayName);
    if (this.chainOf(disk).length >= mostLayers) {
      throw new UniError("quota_exceeded", `freeze the disk ${overlay}: it stands on ${mostLayers} layers`, {
        hint: "Stop the instance and start it again: that folds them.",
      });
    }
    await ensureDirectory(this.#options.directory, 0o711);
    await link(overlay, this.pathOf(layer));
    const path = join(disk, nextName);
    await this.makeOverlay(path, layer, uid);
    return path;
  }

  /** Harmless where nothing is to be completed. */
  async completeSwitch(disk: string): Promise<void> {
    const next = join(disk, nextName);
    if ((await stat(next).catch(ifThere)) === undefined) return;
    for (const layer of this.#layersBelow(next)) {
      const { uid, mode } = await stat(layer);
      if (uid === 0 && (mode & 0o777) === 0o444) continue;
      await chmod(layer, 0o444);
      await chown(layer, 0, 0);
    }
    await rename(next, join(disk, overlayName));
  }

  /** Ids of the layers that a disk stands on, from the top down; of one that is being captured, with that one's too. */
  chainOf(disk: string): string[] {
    const ids = new Set<string>();
    for (const name of [nextName, overlayName]) {
      for (const id of this.#idsBelow(join(disk, name))) ids.add(id);
    }
    return [...ids];
  }

  /** Ids of the layers that a layer stands on, from the top down. */
  below(layer: string): string[] {
    return this.#idsBelow(this.pathOf(layer));
  }

  /** For a disk that no process has open: a chain that has grown is made shorter. What a crash leaves is as good. */
  async fold(disk: string): Promise<void> {
    await this.completeSwitch(disk);
    const overlay = join(disk, overlayName);
    const onto = await groundOf(this.#layersBelow(overlay), foldAtRestAbove);
    if (onto === undefined) return;
    const { uid, gid } = await stat(overlay);
    // As the user of the disk: what the files hold was written by its VMM.
    const args = ["rebase", "-q", "-f", "qcow2", "-F", "qcow2", "-b", onto, overlay];
    await runOk("qemu-img", args, { timeoutMs: foldDeadlineMs, user: { uid, gid } }).catch((error) => {
      if (!/No space left/.test(`${error}`)) throw error;
      throw new UniError("no_space", `fold the disk ${overlay}: the disk of the data directory is full`, {
        hint: "Remove instances or images, or move the data directory.",
        cause: error,
      });
    });
  }

  /** Their ids. */
  async list(): Promise<string[]> {
    const names = (await readdir(this.#options.directory).catch(ifThere)) ?? [];
    return names.flatMap((name) => layerName.exec(name)?.[1] ?? []);
  }

  async remove(layer: string): Promise<void> {
    await rm(this.pathOf(layer), { force: true });
  }

  #idsBelow(path: string): string[] {
    return this.#layersBelow(path).map((layer) => layerName.exec(basename(layer))?.[1] ?? "");
  }

  /** A header that names anything but layers and the pristine file was written by somebody else. */
  #layersBelow(path: string): string[] {
    if (!existsSync(path)) return [];
    const chain = backingChain(path, mostLayers + 1);
    const { directory, pristine } = this.#options;
    const layers = chain.filter((each) => each !== pristine);
    const strange = layers.find((each) => dirname(each) !== directory || !layerName.test(basename(each)));
    if (strange === undefined && chain.at(-1) === pristine) return layers;
    throw new UniError("vmm_failed", `read the disk ${path}: it stands on ${strange ?? "nothing"}`);
  }
}

/** What a disk with these layers, from the top down, is to be folded onto; undefined if it has not too many. */
async function groundOf(layers: readonly string[], most: number): Promise<string | undefined> {
  if (layers.length <= most) return undefined;
  const blocks = await Promise.all(layers.map(async (layer) => (await stat(layer)).blocks));
  for (let at = lowestWithLarge; at > lowest; at--) {
    const over = blocks.slice(0, -at).reduce((sum, each) => sum + each, 0);
    if ((blocks.at(-at) ?? 0) >= over) return layers.at(-at);
  }
  return layers.at(-lowest);
}

function ifThere(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error;
}
