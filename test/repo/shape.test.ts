/** Shape of files: what Biome's rules (no enum, no any, no default export, kebab-case) do not see. */
import assert from "node:assert/strict";
import { basename } from "node:path";
import { test } from "node:test";
import { isTypeScript, repositoryFiles, sources, withoutComments } from "./sources.ts";

const longestFile = 400;

const isCode = (path: string): boolean => /\.(ts|c|h)$/.test(path);
const linesOf = (text: string): number => text.split("\n").length - 1;

test(`no source file is longer than ${longestFile} lines`, () => {
  const long = sources(isCode).filter(({ text }) => linesOf(text) > longestFile);
  assert.deepEqual(
    long.map(({ path, text }) => `${path}: ${linesOf(text)} lines`),
    [],
  );
});

test("names of code files and of their directories are kebab-case", () => {
  const wrong = repositoryFiles()
    .filter((path) => isCode(path) && /^(packages|test|scripts|native)\//.test(path))
    .filter((path) => !path.split("/").every((part) => /^[a-z0-9]+([-.][a-z0-9]+)*$/.test(part)));
  assert.deepEqual(wrong, []);
});

test("no barrels: a file that only re-exports hides where things live", () => {
  const barrels = sources((path) => isTypeScript(path) && path.startsWith("packages/")).filter(
    ({ path, text }) => {
      const statements = withoutComments(text)
        .split(";")
        .map((statement) => statement.trim())
        .filter((statement) => statement !== "");
      const reExports = statements.filter((statement) => /^export\b[\s\S]*\bfrom\s*["']/.test(statement));
      return (
        basename(path) === "index.ts" || (reExports.length > 0 && reExports.length === statements.length)
      );
    },
  );
  assert.deepEqual(
    barrels.map(({ path }) => path),
    [],
  );
});
