/** What is on ROMs: the root of an image, or an image made of files. */
import type { RomPart } from "@uni/contract/resources/instance-parts";
import type { Images } from "../images/port.ts";
import type { RomFiles } from "../images/rom-files.ts";
import type { ResolvedRoms } from "../instances/lifecycle.ts";
import type { AttachedRom, Rom, RomContent } from "../instances/roms.ts";
import type { RomSpec } from "../vmm/port.ts";

export interface RomDependencies {
  readonly images: Images;
  readonly romFiles: RomFiles;
}

export async function resolveRoms(deps: RomDependencies, parts: readonly RomPart[]): Promise<ResolvedRoms> {
  const releases: (() => void)[] = [];
  const release = () => {
    for (const each of releases.splice(0)) each();
  };
  try {
    const roms: Rom[] = [];
    for (const { name, at = null, image, files = [] } of parts) {
      if (image !== undefined) {
        const reference = typeof image === "string" ? image : image.url;
        const { digest } = await deps.images.resolve(reference);
        roms.push({ name, at, content: `image:${digest}`, source: { image: reference } });
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

export const romDisks = (deps: RomDependencies, roms: readonly AttachedRom[]): Promise<RomSpec[]> =>
  Promise.all(roms.map(async ({ slot, content }) => ({ slot, path: await pathOf(deps, content) })));

async function pathOf({ images, romFiles }: RomDependencies, content: RomContent): Promise<string> {
  const name = content.slice(content.indexOf(":") + 1);
  if (content.startsWith("files:")) return romFiles.path(name);
  return (await images.resolve(name)).rootPath;
}
