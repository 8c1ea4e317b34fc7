import { join } from "node:path";

/**
 * A directory of programs of a Debian package that scripts/setup unpacks and does not install, since that would start its
 * service.
 */
export const unpackedPrograms = (name: string, directory = "usr/bin"): string =>
  join(import.meta.dirname, "../../build/debian", name, directory);

export const unpacked = (program: string): string => join(unpackedPrograms(program), program);
