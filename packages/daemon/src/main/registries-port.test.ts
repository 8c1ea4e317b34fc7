import assert from "node:assert/strict";
import { test } from "node:test";
import { UniError } from "@uni/contract/errors";
import { impliedHost } from "@uni/contract/image-names";
import type { RegistriesPort } from "../api/registries-port.ts";
import { ManualClock } from "../base/manual-clock.ts";
import { openDatabase } from "../store/open.ts";
import { findRegistryCredentials } from "../store/registry-credentials.ts";
import { createRegistriesPort } from "./registries-port.ts";

const { signal } = new AbortController();

async function withRegistries(
  body: (registries: RegistriesPort, found: (registry: string) => Promise<unknown>) => Promise<void>,
): Promise<void> {
  const db = await openDatabase(":memory:");
  try {
    const registries = createRegistriesPort({
      db,
      clock: new ManualClock(),
      defaultRegistry: impliedHost,
      remote: {
        async check(registry, { password }) {
          if (password !== "good") throw new UniError("registry_denied", `log in to ${registry}: 401`);
        },
      },
    });
    await body(registries, async (registry) => ({ ...(await findRegistryCredentials(db, registry)) }));
  } finally {
    await db.destroy();
  }
}

test("credentials are kept once the registry takes them, by whatever address it was called", () =>
  withRegistries(async (registries, found) => {
    const given = { registry: "https://registry.example.com/v2/", username: "me", password: "good" };
    assert.equal(await registries.login(given, signal), "registry.example.com");
    assert.deepEqual(await found("registry.example.com"), { username: "me", password: "good" });
    assert.equal(await registries.login({ username: "you", password: "good" }, signal), impliedHost);
    const index = { registry: `https://index.${impliedHost}/v1/`, username: "we", password: "good" };
    await registries.login(index, signal);
    assert.deepEqual(await found(impliedHost), { username: "we", password: "good" });
    assert.deepEqual(
      (await registries.list()).map(({ registry, username }) => [registry, username]),
      [
        [impliedHost, "we"],
        ["registry.example.com", "me"],
      ],
    );
    assert.ok(!JSON.stringify(await registries.list()).includes("good"), "nobody is shown a password");
  }));

test("what the registry does not take is not kept, and takes nothing's place", () =>
  withRegistries(async (registries, found) => {
    const registry = "registry.example.com:5000";
    await registries.login({ registry, username: "me", password: "good" }, signal);
    const wrong = { registry, username: "me", password: "wrong" };
    await assert.rejects(registries.login(wrong, signal), { code: "registry_denied" });
    assert.deepEqual(await found(registry), { username: "me", password: "good" });
    await registries.login({ ...wrong, validate: false }, signal);
    assert.deepEqual(await found(registry), { username: "me", password: "wrong" });
    await assert.rejects(registries.check(registry, signal), { code: "registry_denied" });
  }));

test("logging out forgets them, and of what is not kept it says so", () =>
  withRegistries(async (registries, found) => {
    const registry = "registry.example.com";
    await registries.login({ registry, username: "me", password: "good" }, signal);
    assert.equal(await registries.check(registry, signal), registry);
    assert.equal(await registries.logout(registry), registry);
    assert.deepEqual(await found(registry), {});
    await assert.rejects(registries.logout(registry), { code: "not_found" });
    await assert.rejects(registries.check(registry, signal), { code: "not_found" });
    for (const bad of ["a b", "ftp://registry.example.com", "https://me:pw@registry.example.com", ""]) {
      await assert.rejects(registries.logout(bad), { code: "invalid_value" });
    }
  }));
