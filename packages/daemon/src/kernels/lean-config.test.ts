import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { architectureOf } from "./architectures.ts";
import { configId, parseConfig, readLeanConfig, untaken } from "./lean-config.ts";

const path = join(import.meta.dirname, "../../../../native/kernel/lean.config");

test("the committed configuration has what a guest cannot do without, built in", async () => {
  const symbols = parseConfig(await readLeanConfig(path, architectureOf("x64")));
  for (const symbol of [
    "PVH",
    "VIRTIO_MMIO",
    "VIRTIO_BLK",
    "VIRTIO_NET",
    "VIRTIO_CONSOLE",
    "EROFS_FS",
    "EXT4_FS",
  ]) {
    assert.equal(symbols.get(`CONFIG_${symbol}`), "y", symbol);
  }
  for (const symbol of [
    "OVERLAY_FS",
    "SYSVIPC",
    "POSIX_MQUEUE",
    "AIO",
    "IO_URING",
    "SECCOMP_FILTER",
    "USER_NS",
  ]) {
    assert.equal(symbols.get(`CONFIG_${symbol}`), "y", symbol);
  }
  assert.deepEqual(
    [...symbols].filter(([, value]) => value === "m"),
    [],
    "modules",
  );
  assert.equal(symbols.has("CONFIG_MODULES"), false);
});

test("no symbol is set twice", async () => {
  const text = await readLeanConfig(path, architectureOf("x64"));
  const names = [...text.matchAll(/^(CONFIG_\w+)=/gm)].map(([, name]) => name);
  assert.deepEqual(names, [...new Set(names)]);
});

test("an architecture without a configuration is told so", async () => {
  await assert.rejects(readLeanConfig(path, architectureOf("arm64")), { code: "not_supported" });
});

test("what the kernel did not take is named", () => {
  const fragment = 'CONFIG_A=y\nCONFIG_B=y\nCONFIG_C="x"\n# CONFIG_D is not set\n# CONFIG_E is not set\n';
  assert.deepEqual(untaken(fragment, '# a comment\nCONFIG_A=y\nCONFIG_C="z"\nCONFIG_E=y\n'), [
    "CONFIG_B",
    "CONFIG_C",
    "CONFIG_E",
  ]);
});

test("a line that sets nothing is refused", () => {
  assert.throws(() => parseConfig("CONFIG_A\n"), /cannot read the line/);
});

test("another configuration has another id", () => {
  assert.notEqual(configId("CONFIG_A=y\n"), configId("CONFIG_A=n\n"));
});
