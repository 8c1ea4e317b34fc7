/** What is on ROMs: the root of an image, or an image made of files. */
import { toUniError, UniError } from "@uni/contract/errors";
import type { AccountId } from "@uni/contract/ids";
import type { RomPart } from "@uni/contract/resources/instance-parts";
import type { Images } from "../images/port.ts";
import type { RomFiles } from "../images/rom-files.ts";
import type { ResolvedRoms } from "../instances/lifecycle.ts";
import type { AttachedRom, Rom, RomContent } from "../instances/roms.ts";
import type { RomSpec } from "../vmm/port.ts";
import { findOrPull } from "./bring-media.ts";

export interface RomDependencies {
  readonly images: Images;
  readonly romFiles: RomFiles;
}

/** Waits for a registry where images are not here. */
export async function resolveRoms(
  deps: RomDependencies,
  account: AccountId,
  parts: readonly RomPart[],
  signal: AbortSignal = new AbortController().signal,
): Promise<ResolvedRoms> {
  const releases: (() => void)[] = [];
  const release = () => {
    for (const each of releases.splice(0)) each();
  };
  try {
    const roms: Rom[] = [];
    for (const { name, at = null, image, files = [] } of parts) {
      if (image !== undefined) {
        const { reference, image: found } = await findOrPull(deps.images.of(account), image, signal);
        roms.push({ name, at, content: `image:${found.digest}`, source: { image: reference } });
        continue;
      }
      const given = files.map(({ path, encoding, data }) => ({
        path,
        bytes: Buffer.from(data, encoding === "base64" ? "base64" : "utf8"),
      }));
      const made = await deps.romFiles.make(given);
      releases.push(made.release);
      const listed = given.map(({ path, bytes }) => ({ path, bytes: bytes.length }));
      roms.push({ name, at, content: `files:${made.id}`, source: { files: listed } });
    }
    return { roms, release };
  } catch (error) {
    release();
    throw error;
  }
}

/** One that is attached and wanted no more may be damaged: its slot is empty then, and its way out is to be replaced. */
export async function romDisks(
  deps: RomDependencies,
  attached: readonly AttachedRom[],
  wanted: readonly Rom[],
): Promise<RomSpec[]> {
  const disks = attached.map(async ({ slot, content }): Promise<RomSpec[]> => {
    const rom = wanted.find((each) => each.content === content);
    try {
      return [{ slot, path: await pathOf(deps, content) }];
    } catch (thrown) {
      const error = toUniError(thrown, "find a ROM");
      if (rom === undefined && error.code === "rom_unusable") return [];
      if (rom === undefined || error.code !== "rom_unusable") throw error;
      throw new UniError("rom_unusable", `attach ROM '${rom.name}': ${error.message}`, {
        hint: `Give it again (uni update NAME --rom name=${rom.name},dir=DIRECTORY), or take it away (--rm-rom ${rom.name}).`,
        cause: error,
      });
    }
  });
  return (await Promise.all(disks)).flat();
}

async function pathOf({ images, romFiles }: RomDependencies, content: RomContent): Promise<string> {
  const name = content.slice(content.indexOf(":") + 1);
  if (content.startsWith("files:")) return romFiles.verified(name);
  return (await images.resolve(name)).rootPath;
}
