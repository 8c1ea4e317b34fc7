import assert from "node:assert/strict";
import { test } from "node:test";
import { UniError } from "@uni/contract/errors";
import type { Script } from "../../../../test/kit/fake-daemon.ts";
import { talk } from "../../../../test/kit/run-uni.ts";

const digest = `sha256:${"ab".repeat(32)}`;
const image = {
  digest,
  references: ["hello:latest", "hello:1"],
  created_at: "2026-01-31T12:00:00Z",
  size_bytes: 9_000_000,
};

test("images lists every reference", async () => {
  const script = { "Image.List": () => [image, { ...image, references: [] }] };
  const { code, stdout } = await talk(script, ["images"]);
  assert.equal(code, 0);
  assert.match(
    stdout,
    /^IMAGE\s+DIGEST\s+CREATED\s+SIZE\nhello:latest\s+abababababab .*8\.6 MB\nhello:1 .*\n<none> /,
  );
  assert.equal((await talk(script, ["images", "-q"])).stdout, `hello:latest\nhello:1\n${digest}\n`);
  assert.equal(JSON.parse((await talk(script, ["images", "-o", "json"])).stdout)[0].digest, digest);
});

test("tag and rmi", async () => {
  const script: Script = {
    "Image.Tag": () => ({ status: "ok" }),
    "Image.Remove": ({ reference }) => {
      if (reference === "used") throw new UniError("in_use", "removing image 'used': instance 'web' uses it");
      return { removed: [`${reference}:latest`], deleted: true };
    },
  };
  const tag = await talk(script, ["tag", "hello", "hello:2"]);
  assert.deepEqual(tag.calls[0]?.params, { source: "hello", reference: "hello:2" });
  assert.equal(tag.stdout, "hello:2\n");
  const rmi = await talk(script, ["rmi", "a", "used"]);
  assert.deepEqual([rmi.code, rmi.stdout], [69, "a:latest\n"]);
  assert.match(rmi.stderr, /instance 'web' uses it/);
  const json = await talk(script, ["rmi", "-o", "json", "a"]);
  assert.deepEqual(JSON.parse(json.stdout), { reference: "a", removed: ["a:latest"], deleted: true });
});

test("prune says what it freed, and leaves the build cache unless asked", async () => {
  const script: Script = {
    "Image.Prune": ({ build_cache, boot_cache }) => ({
      freed_bytes: 1_000 + (build_cache ? 3_000_000 : 0) + (boot_cache ? 5_000_000 : 0),
    }),
  };
  const plain = await talk(script, ["prune"]);
  assert.deepEqual([plain.code, plain.stdout], [0, "Freed 1.0 KB\n"]);
  const whole = await talk(script, ["prune", "--build-cache", "-o", "json"]);
  assert.deepEqual(JSON.parse(whole.stdout), { freed_bytes: 3_001_000 });
  const boot = await talk(script, ["prune", "--boot-cache", "-o", "json"]);
  assert.deepEqual(JSON.parse(boot.stdout), { freed_bytes: 5_001_000 });
});
