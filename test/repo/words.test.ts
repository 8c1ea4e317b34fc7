/** Words that may stand nowhere in the repository. They are put together here, so that this file passes too. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { sources } from "./sources.ts";

const hosts = [
  "docker.#io",
  "ghcr.#io",
  "quay.#io",
  "gcr.#io",
  "pkg.#dev",
  "public.ecr.#aws",
  "mcr.#microsoft",
]
  .concat([
    "registry.npmjs.#org",
    "deb.debian.#org",
    "security.debian.#org",
    "snapshot.debian.#org",
    "cdn.kernel.#org",
  ])
  .map((host) => host.replace("#", ""));
const machinePaths = ["/#work/", "/#tmp/prompts", "/#tmp/bash_jobs"].map((path) => path.replace("#", ""));

const isText = (path: string): boolean =>
  !/\.(png|jpg|gz|tar|zst|woff2?)$/.test(path) && path !== "package-lock.json";
const files = sources(isText);

function mentions(words: readonly string[]): string[] {
  return files.flatMap(({ path, text }) =>
    text.split("\n").flatMap((line, index) => {
      const found = words.find((word) => line.includes(word));
      return found === undefined ? [] : [`${path}:${index + 1}: ${found}`];
    }),
  );
}

test("no host name of a registry or package archive: examples say registry.example.com", () => {
  assert.deepEqual(mentions(hosts), []);
});

test("no path of a developer's machine", () => {
  assert.deepEqual(mentions(machinePaths), []);
});
