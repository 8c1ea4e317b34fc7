import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { root, sources } from "./sources.ts";

const documents = sources((path) => path.endsWith(".md"));

test("every link to a file of the repository leads somewhere", () => {
  const broken = documents.flatMap(({ path, text }) =>
    [...text.matchAll(/\]\(([^)\s]+)\)/g)]
      .map((match) => (match[1] ?? "").replace(/#.*$/, ""))
      .filter((target) => target !== "" && !/^[a-z]+:/.test(target))
      .filter((target) => !existsSync(join(root, dirname(path), target)))
      .map((target) => `${path}: ${target}`),
  );
  assert.deepEqual(broken, []);
});

/** One promise a list item: `- What is promised. → path/of.test.ts: name of the test`, or `→ no test yet`. */
interface Promised {
  readonly text: string;
  readonly guard: string | undefined;
}

function promises(): Promised[] {
  const text = documents.find(({ path }) => path === "SPECIFICATION.md")?.text ?? "";
  const items = text.split(/\n(?=- )/).filter((item) => item.startsWith("- "));
  return items.map((item) => {
    const line = item.split(/\n\n|\n#/)[0]?.replaceAll(/\s+/g, " ") ?? "";
    const at = line.lastIndexOf(" → ");
    return { text: line, guard: at < 0 ? undefined : line.slice(at + 3).trim() };
  });
}

function fault(guard: string | undefined): string | undefined {
  if (guard === undefined) return "names no test";
  if (guard === "no test yet") return undefined;
  const [path, ...rest] = guard.split(": ");
  const name = rest.join(": ");
  if (path === undefined || !existsSync(join(root, path))) return `${path} does not exist`;
  if (!/\.test\.ts$/.test(path)) return `${path} is no test file`;
  if (name !== "" && !readFileSync(join(root, path), "utf8").includes(name))
    return `${path} has no test "${name}"`;
  return undefined;
}

test("every promise of the specification names its test, or says that it has none", () => {
  const all = promises();
  assert.ok(all.length > 0, "SPECIFICATION.md promises nothing");
  const wrong = all.flatMap(({ text, guard }) => {
    const what = fault(guard);
    return what === undefined ? [] : [`${text}: ${what}`];
  });
  assert.deepEqual(wrong, []);
});

test("every decision is listed in the index", () => {
  const index = documents.find(({ path }) => path === "docs/decisions/README.md")?.text ?? "";
  const missing = documents
    .map(({ path }) => /^docs\/decisions\/(\d{4}-[^/]+\.md)$/.exec(path)?.[1])
    .filter((name) => name !== undefined && !index.includes(`(${name})`));
  assert.deepEqual(missing, []);
});
