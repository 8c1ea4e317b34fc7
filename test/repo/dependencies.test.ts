import assert from "node:assert/strict";
import { test } from "node:test";
import { sources } from "./sources.ts";

test("every dependency is pinned to one version", () => {
  const loose = sources((path) => /(^|\/)package\.json$/.test(path)).flatMap(({ path, text }) => {
    const manifest: Record<string, Record<string, string> | undefined> = JSON.parse(text);
    return [
      "dependencies",
      "devDependencies",
      "optionalDependencies",
      "peerDependencies",
      "overrides",
    ].flatMap((kind) =>
      Object.entries(manifest[kind] ?? {})
        .filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))
        .map(([name, version]) => `${path}: ${name} ${version}`),
    );
  });
  assert.deepEqual(loose, []);
});
