/** The order of the daemon's rooms, as data. Change it together with ARCHITECTURE.md. */
import assert from "node:assert/strict";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";
import { importsOf, isDaemon, isTypeScript, type Source, sources } from "./sources.ts";

/** A room imports from rows above its own in this list only. */
const rows: readonly (readonly string[])[] = [
  ["base"],
  ["host", "store"],
  ["vmm", "guest", "images", "network", "kernels", "volumes", "edge", "autoscale"],
  ["instances", "services"],
  ["snapshots"],
  ["operations"],
  ["reconcilers"],
  ["api", "registry"],
  ["main"],
];

/** Edges that the rows would allow and that are wrong all the same. */
const forbidden: readonly { from: string; to: readonly string[]; reason: string }[] = [
  {
    from: "api",
    to: [
      "store",
      "vmm",
      "guest",
      "images",
      "network",
      "kernels",
      "volumes",
      "edge",
      "autoscale",
      "instances",
      "services",
      "snapshots",
      "operations",
      "reconcilers",
    ],
    reason:
      "the API knows the daemon through api/port.ts only, which main fills: so a fake can stand behind it",
  },
  {
    from: "registry",
    to: ["host", "store", "vmm", "guest", "network", "kernels", "volumes", "edge", "autoscale", "instances"],
    reason: "the registry is a door to the images, and to nothing else",
  },
  {
    from: "reconcilers",
    to: ["guest"],
    reason: "the agent has one owner, the instance's loop",
  },
];

/** What one package may import of the others. */
const packages: Record<string, readonly string[]> = {
  contract: [],
  sdk: ["contract"],
  cli: ["contract", "sdk"],
  daemon: ["contract"],
};

const rowOf = (room: string): number => rows.findIndex((row) => row.includes(room));

interface Edge {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

const roomOf = (path: string): string | undefined => /^packages\/daemon\/src\/([^/]+)\//.exec(path)?.[1];

function daemonEdges(): Edge[] {
  return sources((path) => isTypeScript(path) && isDaemon(path)).flatMap((source) =>
    importsOf(source.text)
      .filter((specifier) => specifier.startsWith("."))
      .flatMap((specifier) => {
        const from = roomOf(source.path);
        const to = roomOf(normalize(join(dirname(source.path), specifier)));
        return from === undefined || to === undefined || from === to ? [] : [{ file: source.path, from, to }];
      }),
  );
}

test("every room has its row", () => {
  const rooms = new Set(
    sources((path) => isTypeScript(path) && isDaemon(path)).map(({ path }) => roomOf(path)),
  );
  for (const room of rooms)
    assert.ok(room !== undefined && rowOf(room) >= 0, `${room} is in no row of the table`);
});

test("a room imports downward only", () => {
  const wrong = daemonEdges()
    .filter(({ from, to }) => rowOf(to) >= rowOf(from))
    .map(({ file, from, to }) => `${file}: ${from} (row ${rowOf(from)}) imports ${to} (row ${rowOf(to)})`);
  assert.deepEqual(wrong, []);
});

test("no forbidden edge, each with its reason", () => {
  const wrong = daemonEdges().flatMap(({ file, from, to }) =>
    forbidden
      .filter((rule) => rule.from === from && rule.to.includes(to))
      .map(({ reason }) => `${file}: ${from} imports ${to}: ${reason}`),
  );
  assert.deepEqual(wrong, []);
});

function packageImports({ path, text }: Source): string[] {
  const name = /^packages\/([^/]+)\//.exec(path)?.[1] ?? "";
  const allowed = packages[name];
  return importsOf(text).flatMap((specifier) => {
    const ours = /^@uni\/([^/]+)/.exec(specifier)?.[1];
    const climbs =
      specifier.startsWith(".") && !normalize(join(dirname(path), specifier)).startsWith(`packages/${name}/`);
    const isTest = /\.test\.ts$/.test(path);
    if (climbs && !isTest) return [`${path}: leaves its package by ${specifier}`];
    if (ours === undefined || ours === name || allowed?.includes(ours)) return [];
    return [`${path}: ${name} may not import ${specifier}`];
  });
}

test("a package imports only what the table allows", () => {
  const wrong = sources((path) => isTypeScript(path) && path.startsWith("packages/")).flatMap(packageImports);
  assert.deepEqual(wrong, []);
});

test("the contract does no input or output", () => {
  const wrong = sources((path) => /^packages\/contract\/src\/.*(?<!\.test)\.ts$/.test(path)).flatMap(
    ({ path, text }) =>
      importsOf(text)
        .filter((specifier) => specifier.startsWith("node:"))
        .map((specifier) => `${path}: imports ${specifier}`),
  );
  assert.deepEqual(wrong, []);
});
