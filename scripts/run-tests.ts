/**
 * Runs the test files with Node's runner: first those that need no virtual machine, two at a time, then those that boot
 * some, one at a time, since two cores are all that a guest may count on. Prints the slow files and the totals last.
 * Usage: node scripts/run-tests.ts [FILE.test.ts…]
 */
import { globSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { leftovers } from "../test/kit/leftovers.ts";

interface Totals {
  tests: number;
  passed: number;
  failed: number;
  skipped: number;
  todo: number;
}

const root = join(import.meta.dirname, "..");
const patterns = ["packages/*/src/**/*.test.ts", "test/**/*.test.ts"];
/** What a test file imports that boots real machines. */
const bootsMachines = /kit\/(boot-files|qemu-machines|daemon|machine-test)\.ts"|scripts\/demo"/;
/** No single test file may hold up the rest for longer. */
const fileDeadlineMs = 10 * 60_000;
const slowMs = 5_000;

function testFiles(args: readonly string[]): string[] {
  const files = args.length > 0 ? args : patterns.flatMap((pattern) => globSync(pattern, { cwd: root }));
  return files.map((file) => join(root, relative(root, file))).sort();
}

const totals: Totals = { tests: 0, passed: 0, failed: 0, skipped: 0, todo: 0 };
const slow: { file: string; ms: number }[] = [];
const failures: string[] = [];

async function runGroup(files: string[], concurrency: number): Promise<void> {
  if (files.length === 0) return;
  const stream = run({ files, concurrency, cwd: root, timeout: fileDeadlineMs });
  stream.on("test:summary", ({ file, counts, duration_ms: ms }) => {
    if (file !== undefined) {
      if (ms >= slowMs) slow.push({ file: relative(root, file), ms });
      return;
    }
    totals.tests += counts.tests;
    totals.passed += counts.passed;
    totals.failed += counts.tests - counts.passed - counts.skipped - counts.todo;
    totals.skipped += counts.skipped;
    totals.todo += counts.todo;
  });
  stream.on("test:fail", ({ name, file, todo, details }) => {
    const ofItsParts = (details.error as Partial<{ failureType: string }>).failureType === "subtestsFailed";
    if (todo === undefined && !ofItsParts)
      failures.push(`${file === undefined ? "?" : relative(root, file)}: ${name}`);
  });
  const printed = stream.compose(new spec());
  for await (const chunk of printed) process.stdout.write(chunk);
}

/** Set by scripts/test, inside the namespaces that it made. */
const ownNamespaces = process.env["UNI_TEST_NAMESPACES"] === "1";
const onDisk = tmpdir();
/** Also set by it. What boots machines has too much for it. */
const inMemory = process.env["UNI_TEST_MEMORY"];
const files = testFiles(process.argv.slice(2));
const heavy = files.filter((file) => bootsMachines.test(readFileSync(file, "utf8")));
process.env["TMPDIR"] = inMemory ?? onDisk;
await runGroup(
  files.filter((file) => !heavy.includes(file)),
  2,
);
process.env["TMPDIR"] = onDisk;
await runGroup(heavy, 1);
const leftIn = (directory: string) =>
  readdirSync(directory)
    .map((name) => join(directory, name))
    .filter((path) => path !== inMemory)
    .map((path) => `file ${path}`);
const places = inMemory === undefined ? [onDisk] : [onDisk, inMemory];
const left = ownNamespaces ? [...leftovers(), ...places.flatMap(leftIn)] : [];

for (const { file, ms } of slow.sort((a, b) => b.ms - a.ms)) {
  console.log(`${(ms / 1000).toFixed(1).padStart(7)} s  ${file}`);
}
for (const failure of failures) console.log(`failed: ${failure}`);
for (const line of left) console.log(`left behind: ${line}`);
console.log(`# files ${files.length}`);
console.log(`# tests ${totals.tests}`);
console.log(`# pass ${totals.passed}`);
console.log(`# fail ${totals.failed}`);
console.log(`# skipped ${totals.skipped}`);
console.log(`# todo ${totals.todo}`);
if (totals.tests === 0) console.log("no test ran");
process.exitCode = totals.failed > 0 || totals.tests === 0 || left.length > 0 ? 1 : 0;
