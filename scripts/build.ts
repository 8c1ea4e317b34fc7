/** Bundles the CLI and the daemon into build/, so that `bin/uni` and `bin/unid` start fast. Usage: node scripts/build.ts */
import { existsSync } from "node:fs";
import { readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";

const root = join(import.meta.dirname, "..");

const bundles = [
  { name: "uni", entry: "packages/cli/src/main.ts" },
  { name: "unid", entry: "packages/daemon/src/main/main.ts" },
];

/** CommonJS packages inside an ES module bundle still call `require` for Node's built-in modules. */
const requireForBundledCommonJs =
  'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);';

async function isSame(made: string, before: string): Promise<boolean> {
  return existsSync(before) && (await readFile(made)).equals(await readFile(before));
}

async function bundle(name: string, entry: string): Promise<void> {
  const finished = join(root, "build", `${name}.mjs`);
  const aside = join(root, "build", `${name}.${process.pid}.mjs`);
  try {
    await build({
      absWorkingDir: root,
      entryPoints: [entry],
      outfile: aside,
      bundle: true,
      platform: "node",
      format: "esm",
      target: "node24",
      minifySyntax: true,
      sourcemap: "external",
      banner: { js: requireForBundledCommonJs },
      logLevel: "warning",
    });
    // The date of a bundle tells whether a daemon that runs is older than it.
    if ((await isSame(aside, finished)) && (await isSame(`${aside}.map`, `${finished}.map`))) return;
    // Written aside and renamed: a daemon or CLI that starts at this moment reads a whole bundle.
    await rename(`${aside}.map`, `${finished}.map`);
    await rename(aside, finished);
  } finally {
    await rm(aside, { force: true });
    await rm(`${aside}.map`, { force: true });
  }
}

for (const { name, entry } of bundles) {
  // esbuild has printed what is wrong.
  if (existsSync(join(root, entry))) await bundle(name, entry).catch(() => (process.exitCode = 1));
  else console.log(`build: ${entry} is not there yet; build/${name}.mjs is left out`);
}
