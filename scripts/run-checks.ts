/** Runs the checks that are not tests, one after the other, and says how long each took. Stops at the first that fails. */
import { spawnSync } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

interface Check {
  readonly name: string;
  readonly argv: readonly [string, ...string[]];
}

const root = join(import.meta.dirname, "..");

/** What to make in each native part, where its Makefile has it. */
const nativeTargets = {
  all: "warnings as errors",
  test: "tests under sanitizers",
  fuzz: "fuzz targets, briefly",
};

function nativeChecks(): Check[] {
  return globSync("native/*/Makefile", { cwd: root })
    .sort()
    .flatMap((makefile) => {
      const text = readFileSync(join(root, makefile), "utf8");
      const directory = dirname(makefile);
      return Object.entries(nativeTargets)
        .filter(([target]) => new RegExp(`^${target}:`, "m").test(text))
        .map(
          ([target, what]): Check => ({
            name: `${directory}: ${what}`,
            argv: ["make", "-s", "-C", directory, target],
          }),
        );
    });
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
