import { statSync } from "node:fs";
import { basename, join } from "node:path";

const names = ["Kraftfile", "kraft.yaml", "kraft.yml"];

export const isKraftfileName = (path: string): boolean => {
  const name = basename(path);
  return names.includes(name) || /^Kraftfile\.|\.Kraftfile$/.test(name);
};

export function findKraftfile(directory: string): string | undefined {
  const found = names.find((name) => statSync(join(directory, name), { throwIfNoEntry: false })?.isFile());
  return found === undefined ? undefined : join(directory, found);
}
