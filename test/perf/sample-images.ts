/** Images made of this machine's own files: a large one of few layers, and one of many small layers. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { TestImage } from "../kit/image-archive.ts";
import { makeTar, type TarMember } from "../kit/tar-writer.ts";

interface Found {
  readonly path: string;
  readonly size: number;
}

const largeFrom = ["/usr/bin", "/usr/lib/gcc", "/usr/lib/x86_64-linux-gnu", "/usr/share", "/usr/include"];
const smallFrom = "/usr/include";
const program = { config: { Entrypoint: ["/bin/true"] }, compress: "gzip" } as const;

/** Of five layers, together about 300 MB before compression. */
export const largeImage = (): TestImage => ({
  ...program,
  layers: largeFrom.map((directory) => tarOf(filesBelow(directory, 60e6))),
});

/** Of 60 layers with 50 files each. */
export function manySmallLayers(): TestImage {
  const files = filesBelow(smallFrom, 100e6).filter(({ size }) => size > 0 && size < 64e3);
  const layers = Array.from({ length: 60 }, (_, index) => tarOf(files.slice(index * 50, index * 50 + 50)));
  return { ...program, layers };
}

const tarOf = (files: readonly Found[]): Buffer =>
  makeTar(
    files.map(({ path }): TarMember => ({ name: path.slice(1), mode: 0o755, content: readFileSync(path) })),
  );

/** Regular files in the order of their names, up to so many bytes. */
function filesBelow(directory: string, most: number): Found[] {
  const found: Found[] = [];
  let left = most;
  const visit = (at: string): void => {
    for (const entry of readdirSync(at, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = join(at, entry.name);
      if (entry.isDirectory()) visit(path);
      else if (entry.isFile() && path.length < 100) {
        const { size } = statSync(path);
        if (size > left || size > most / 4) continue;
        found.push({ path, size });
        left -= size;
      }
      if (left <= 0) return;
    }
  };
  visit(directory);
  return found;
}
