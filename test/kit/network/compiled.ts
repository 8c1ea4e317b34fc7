/** Helper programs in C beside this file, compiled once for whoever imports it. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const programs = new Map<string, string>();

export function compiled(name: "raw-frames" | "tap-cable"): string {
  const known = programs.get(name);
  if (known !== undefined) return known;
  const directory = mkdtempSync(join(tmpdir(), "uni-c-"));
  process.on("exit", () => rmSync(directory, { recursive: true, force: true }));
  const program = join(directory, name);
  const source = join(import.meta.dirname, `${name}.c`);
  execFileSync("cc", ["-O1", "-Wall", "-Wextra", "-Werror", "-o", program, source]);
  programs.set(name, program);
  return program;
}
