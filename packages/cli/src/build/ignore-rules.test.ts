import assert from "node:assert/strict";
import { test } from "node:test";
import { UniError } from "@uni/contract/errors";
import fc from "fast-check";
import { parseIgnoreRules } from "./ignore-rules.ts";

const ignores = (text: string, path: string): boolean => parseIgnoreRules(text, "x").ignores(path);

const cases: readonly (readonly [rules: string, ignored: readonly string[], kept: readonly string[]])[] = [
  ["node_modules", ["node_modules", "node_modules/a/b"], ["src/node_modules", "node_modules2"]],
  ["/dist/", ["dist", "dist/x"], ["src/dist"]],
  ["./a/../b", ["b", "b/c"], ["a"]],
  ["*.md", ["README.md"], ["docs/README.md", "a.mdx"]],
  ["**/*.md", ["README.md", "docs/deep/README.md"], ["md"]],
  ["*/temp*", ["a/temp", "a/temporary/x"], ["temp", "a/b/temp"]],
  ["*/*/temp*", ["a/b/temporary"], ["a/temporary"]],
  ["temp?", ["tempa", "tempa/x"], ["temp", "temp/x", "tempab"]],
  ["a/**", ["a/b", "a/b/c"], ["a", "b"]],
  ["**", ["a", "a/b"], []],
  ["a/**/z", ["a/z", "a/b/c/z"], ["z", "a/y"]],
  ["**/foo/bar", ["foo/bar", "x/foo/bar/y"], ["foo", "foo/x/bar"]],
  ["[ab].txt\n[^c]x", ["a.txt", "b.txt", "dx"], ["c.txt", "cx"]],
  ["a\\*b", ["a*b"], ["axb"]],
  ["a.b+c(d)", ["a.b+c(d)"], ["aXb+c(d)"]],
  ["*.md\n!README.md", ["a.md"], ["README.md", "docs/a.md"]],
  ["*.md\n!README*.md\nREADME-secret.md", ["README-secret.md", "x.md"], ["README.md", "README-1.md"]],
  ["docs\n!docs/keep", ["docs", "docs/x"], ["docs/keep", "docs/keep/y"]],
  ["*\n!src\n!go.mod", ["x", "y/z"], ["src", "src/a/b", "go.mod"]],
  ["# a comment\n\n   \n  spaced  \n#spaced2", ["spaced"], ["# a comment", "spaced2"]],
  ["\ufeffbom\r\ndos\r\n", ["bom", "dos"], []],
  [".\n/", [], ["a"]],
  ["ä*", ["äb"], ["a"]],
];

for (const [rules, ignored, kept] of cases) {
  test(JSON.stringify(rules), () => {
    for (const path of ignored) assert.ok(ignores(rules, path), path);
    for (const path of kept) assert.ok(!ignores(rules, path), path);
  });
}

test("a directory is looked into where something below may be kept", () => {
  const may = (rules: string, path: string) => parseIgnoreRules(rules, "x").mayKeepBelow(path);
  assert.ok(may("docs\n!docs/a/keep", "docs"));
  assert.ok(may("docs\n!docs/a/keep", "docs/a"));
  assert.ok(!may("docs\n!docs/a/keep", "docs/b"));
  assert.ok(!may("docs\n!other", "docs"));
  assert.ok(may("*\n!**/keep", "any/where"));
  assert.ok(may("*\n!*/keep", "any"));
});

test("what is no pattern is refused with its line, and nothing else can fail", () => {
  assert.throws(() => parseIgnoreRules("a\n!", "list"), /reading list line 2: '!' stands alone/);
  assert.throws(() => parseIgnoreRules("*a".repeat(9), "list"), /reading list line 1: more than 8 times/);
  const piece = fc.constantFrom(
    "*",
    "**",
    "?",
    "[",
    "]",
    "^",
    "\\",
    "/",
    "!",
    "a",
    ".",
    "-",
    "\n",
    "#",
    "{",
    "(",
    "+",
    "z-a",
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), fc.array(piece, { maxLength: 6 }), (pattern, path) => {
      try {
        parseIgnoreRules(pattern.join(""), "x").ignores(path.join(""));
      } catch (error) {
        if (!(error instanceof UniError)) throw error;
      }
    }),
    { numRuns: 3000 },
  );
});
