/** Runs the checks that are not tests, one after the other, and says how long each took. Stops at the first that fails. */
import { spawnSync } from "node:child_process";
import { globSync } from "node:fs";
import { join } from "node:path";

interface Check {
  readonly name: string;
  readonly argv: readonly [string, ...string[]];
}

const root = join(import.meta.dirname, "..");

function nativeChecks(): Check[] {
  return globSync("native/*/Makefile", { cwd: root })
    .map((makefile) => makefile.replace(/\/Makefile$/, ""))
    .sort()
    .flatMap((directory): Check[] => [
      { name: `${directory}: warnings as errors`, argv: ["make", "-s", "-C", directory] },
      { name: `${directory}: tests under sanitizers`, argv: ["make", "-s", "-C", directory, "test"] },
      { name: `${directory}: fuzz targets, briefly`, argv: ["make", "-s", "-C", directory, "fuzz"] },
    ]);
}

const checks: Check[] = [
  { name: "biome", argv: ["biome", "check", "."] },
  { name: "types", argv: ["tsc", "--noEmit"] },
  { name: "dead code", argv: ["knip"] },
  ...nativeChecks(),
];

for (const { name, argv } of checks) {
  const [command, ...args] = argv;
  const started = performance.now();
  const result = spawnSync(command, args, { cwd: root, encoding: "utf8", maxBuffer: 64 << 20 });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const passed = result.error === undefined && result.status === 0;
  console.log(`check: ${name}: ${passed ? "passed" : "FAILED"} (${seconds} s)`);
  if (passed) continue;
  process.stdout.write(`${result.stdout ?? ""}${result.stderr ?? ""}${result.error?.message ?? ""}\n`);
  process.exit(1);
}
