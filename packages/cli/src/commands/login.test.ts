import assert from "node:assert/strict";
import { test } from "node:test";
import { UniError } from "@uni/contract/errors";
import type { Script } from "../../../../test/kit/fake-daemon.ts";
import { talk } from "../../../../test/kit/run-uni.ts";

const entry = { registry: "registry.example.com", username: "me", updated_at: "2026-01-31T12:00:00.000Z" };
const script: Script = {
  "Registry.Login": ({ password }) => {
    if (password === "wrong") throw new UniError("registry_denied", "log in to it: 401");
    return { registry: entry.registry };
  },
  "Registry.Logout": () => ({ registry: entry.registry }),
  "Registry.List": () => [entry],
  "Registry.Check": () => ({ registry: entry.registry }),
};

test("login takes the password from standard input, without its line end", async () => {
  const args = ["login", entry.registry, "-u", "me", "--password-stdin"];
  const { code, stdout, calls } = await talk(script, args, { input: "se cret\n" });
  assert.deepEqual([code, stdout], [0, "registry.example.com\n"]);
  const params = { registry: entry.registry, username: "me", password: "se cret", validate: true };
  assert.deepEqual(calls, [{ method: "Registry.Login", params }]);
  const unchecked = await talk(script, ["login", "-u", "me", "--password-stdin", "--no-validate"], {
    input: "x",
  });
  assert.deepEqual(unchecked.calls[0]?.params, { username: "me", password: "x", validate: false });
});

test("login says what the registry does not take, and asks for nothing without a terminal", async () => {
  const refused = await talk(script, ["login", "-u", "me", "--password-stdin"], { input: "wrong" });
  assert.equal(refused.code, 77);
  assert.ok(!refused.stderr.includes("wrong"));
  const empty = await talk(script, ["login", "-u", "me", "--password-stdin"], { input: "" });
  assert.deepEqual([empty.code, empty.calls.length], [64, 0]);
  const asked = await talk(script, ["login", "-u", "me"], { input: "secret" });
  assert.equal(asked.code, 64);
  assert.match(asked.stderr, /--password-stdin/);
});

test("logout and registries", async () => {
  assert.equal((await talk(script, ["logout", entry.registry])).stdout, "registry.example.com\n");
  const { stdout } = await talk(script, ["registries", "ls"]);
  assert.match(stdout, /REGISTRY +USER +SINCE\nregistry\.example\.com +me +2026-01-31\n/);
  assert.equal(
    (await talk(script, ["registries", "check", entry.registry])).stdout,
    "registry.example.com: ok\n",
  );
});
