import assert from "node:assert/strict";
import { test } from "node:test";
import { impliedHost } from "@uni/contract/image-names";
import { readRegistryOptions } from "./registry-config.ts";

test("without options: the usual default, TLS everywhere, no mirrors", () => {
  assert.deepEqual(readRegistryOptions({}, {}), {
    defaultRegistry: impliedHost,
    insecureRegistries: [],
    mirrors: new Map(),
  });
});

test("options come before the environment", () => {
  const env = {
    UNI_DEFAULT_REGISTRY: "a.example.com",
    UNI_INSECURE_REGISTRIES: "b.example.com:5000,c.example.com",
    UNI_REGISTRY_MIRROR: "d.example.com=https://e.example.com f.example.com=http://g.example.com/cache",
  };
  const fromEnv = readRegistryOptions({}, env);
  assert.equal(fromEnv.defaultRegistry, "a.example.com");
  assert.deepEqual(fromEnv.insecureRegistries, ["b.example.com:5000", "c.example.com"]);
  assert.deepEqual([...fromEnv.mirrors.keys()], ["d.example.com", "f.example.com"]);
  const mirror = ["d.example.com=https://h.example.com,https://i.example.com/p"];
  const given = { "default-registry": "z.example.com", "insecure-registries": "", "registry-mirror": mirror };
  const options = readRegistryOptions(given, env);
  assert.deepEqual([options.defaultRegistry, options.insecureRegistries], ["z.example.com", []]);
  assert.deepEqual(
    options.mirrors.get("d.example.com")?.map(({ href }) => href),
    ["https://h.example.com/", "https://i.example.com/p"],
  );
});

test("what cannot be a host or a mirror is refused at the start", () => {
  const refused: readonly Parameters<typeof readRegistryOptions>[0][] = [
    { "default-registry": "https://a.example.com" },
    { "default-registry": "a.example.com/path" },
    { "insecure-registries": "a b" },
    { "registry-mirror": ["a.example.com"] },
    { "registry-mirror": ["a.example.com="] },
    { "registry-mirror": ["=https://b.example.com"] },
    { "registry-mirror": ["a.example.com=ftp://b.example.com"] },
    { "registry-mirror": ["a.example.com=https://me:pw@b.example.com"] },
  ];
  for (const values of refused) {
    assert.throws(() => readRegistryOptions(values, {}), { code: "invalid_value" }, JSON.stringify(values));
  }
});
