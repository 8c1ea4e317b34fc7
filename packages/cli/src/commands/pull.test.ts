import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { test } from "node:test";
import { UniError } from "@uni/contract/errors";
import { impliedHost } from "@uni/contract/image-names";
import { frameKinds } from "@uni/contract/stream-frames";
import { type Script, Stream } from "../../../../test/kit/fake-daemon.ts";
import { fakeVm } from "../../../../test/kit/fake-vm.ts";
import { talk } from "../../../../test/kit/run-uni.ts";

const layer = `sha256:${"a".repeat(64)}`;
const detail = { digest: `sha256:${"1".repeat(64)}`, references: ["registry.example.com/web:1"] };
const pulled: Script = {
  "Image.Pull": () =>
    new Stream(async (peer) => {
      const progress = { step: "layer", layer, message: "receiving", total: 2048 };
      peer.sendJson(frameKinds.progress, { ...progress, current: 1024 });
      peer.sendJson(frameKinds.progress, { ...progress, message: "received", current: 2048 });
      return detail;
    }),
  "Daemon.Info": () => ({ default_registry: impliedHost }),
};

async function withHome(body: (home: string, env: Record<string, string>) => Promise<void>): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), "uni-home-"));
  try {
    mkdirSync(join(home, ".docker"));
    await body(home, { HOME: home });
  } finally {
    rmSync(home, { recursive: true });
  }
}

const writeConfig = (home: string, config: object) =>
  writeFileSync(join(home, ".docker", "config.json"), JSON.stringify(config));
const auth = Buffer.from("me:secret").toString("base64");

test("pull says what came, each layer once where there is no terminal, and asks what is new", async () => {
  const { code, stdout, stderr, calls } = await talk(pulled, ["pull", "registry.example.com/web:1"]);
  assert.equal(code, 0);
  assert.equal(stdout, `${detail.digest}  registry.example.com/web:1\n`);
  assert.equal(stderr, "aaaaaaaaaaaa: received 2.0 KB\n");
  assert.deepEqual(calls[0]?.params, { reference: "registry.example.com/web:1", policy: "always" });
});

test("what docker login left is handed over, for that registry alone", () =>
  withHome(async (home, env) => {
    writeConfig(home, {
      auths: {
        "registry.example.com": { auth },
        [`https://index.${impliedHost}/v1/`]: { identitytoken: "token" },
      },
    });
    const given = async (reference: string) =>
      (await talk(pulled, ["pull", reference], { env })).calls.find(({ method }) => method === "Image.Pull")
        ?.params["credentials"];
    assert.deepEqual(await given("registry.example.com/web"), { username: "me", password: "secret" });
    assert.equal(await given("other.example.com/web"), undefined);
    assert.deepEqual(await given("nginx"), { username: "<token>", password: "token" });
    const pushed: Script = {
      "Image.Push": () => new Stream(async () => ({ digest: layer, reference: "x" })),
    };
    const push = await talk(pushed, ["push", "web", "registry.example.com/web"], { env });
    assert.deepEqual(push.calls[0]?.params["credentials"], { username: "me", password: "secret" });
  }));

test("a credential helper is told the registry on its input, and nothing in its arguments", () =>
  withHome(async (home, env) => {
    writeConfig(home, { credHelpers: { "registry.example.com": "test" }, credsStore: "absent" });
    const helper = join(home, "docker-credential-test");
    const script = `#!/bin/sh
[ "$*" = get ] && server=$(cat) && printf '{"Username":"me","Secret":"for %s"}' "$server"
`;
    writeFileSync(helper, script);
    chmodSync(helper, 0o755);
    const path = `${home}${delimiter}${process.env["PATH"]}`;
    const pull = (reference: string) => talk(pulled, ["pull", reference], { env: { ...env, PATH: path } });
    const { calls } = await pull("registry.example.com/web");
    assert.deepEqual(calls[0]?.params["credentials"], {
      username: "me",
      password: "for registry.example.com",
    });
    const other = await pull("other.example.com/web");
    assert.equal(other.code, 0);
    assert.match(other.stderr, /docker-credential-absent for other\.example\.com: it is not installed/);
  }));

test("run pulls what is not here, and what is always to be pulled", async () => {
  let here = false;
  const script: Script = {
    ...pulled,
    "Image.Pull": () => {
      here = true;
      return new Stream(async () => detail);
    },
    "VM.Run": () => {
      if (!here) throw new UniError("image_not_found", "find image: there is none");
      return fakeVm();
    },
  };
  const methods = async (...args: string[]) =>
    (await talk(script, ["run", ...args, "registry.example.com/web"])).calls.map(
      ({ method, params }) => `${method} ${params["policy"] ?? params["pull_policy"]}`,
    );
  assert.deepEqual(await methods("--pull", "never"), ["VM.Run never"]);
  assert.deepEqual(await methods(), ["VM.Run never", "Image.Pull if_not_present", "VM.Run never"]);
  assert.deepEqual(await methods("--pull", "missing"), ["VM.Run never"]);
  assert.deepEqual(await methods("--pull", "always"), ["Image.Pull always", "VM.Run never"]);
  assert.equal((await talk(script, ["run", "--pull", "often", "web"])).code, 64);
});
