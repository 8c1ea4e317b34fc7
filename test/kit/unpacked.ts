import { join } from "node:path";

/** A program of a Debian package that scripts/setup unpacks and does not install, since that would start its service. */
export const unpacked = (program: string): string =>
  join(import.meta.dirname, "../../build/debian", program, "usr/bin", program);
