/** What goes into a build beside its context: further contexts, keys, images that a step looks into. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { furtherContexts } from "@uni/contract/rpc-params";
import { agentMessage, compileAskAgent } from "../../../../test/kit/ask-agent.ts";
import {
  context,
  inRoot,
  leftovers,
  preamble,
  request,
  withBuilder,
  withSource,
} from "../../../../test/kit/builds.ts";
import { accounts, teamAccount } from "../../../../test/kit/registry.ts";
import { createImages } from "./images.ts";
import type { Image } from "./port.ts";
import { quietly, storedFiles, withStore } from "./test-room.ts";

const shared = (name: string, content: string) => ({ name: `${furtherContexts}/${name}`, content });
const fileOf = (image: Image, name: string) =>
  inRoot(image, (root) => readFileSync(join(root, name), "utf8"));

test("further contexts: COPY and RUN take from them, nothing of them is in the main one, and a change is seen", () =>
  withBuilder(async ({ images, directory }) => {
    const dockerfile = `${preamble}COPY . /src
COPY --from=shared /sub/file /copied
RUN --mount=type=bind,from=other.one,target=/mnt /bin/busybox cp /mnt/file /mounted
`;
    const build = (content: string) =>
      images.build(
        context(dockerfile, shared("shared/sub/file", content), shared("other.one/file", "other")),
        withSource({ contexts: ["shared", "other.one"] }),
        quietly(),
      );
    const first = await build("first");
    assert.equal(fileOf(first, "copied"), "first");
    assert.equal(fileOf(first, "mounted"), "other");
    inRoot(first, (root) =>
      assert.deepEqual(readdirSync(join(root, "src")).sort(), ["Dockerfile", "busybox"]),
    );
    assert.equal(fileOf(await build("second"), "copied"), "second");
    assert.deepEqual(storedFiles(directory).scratch, []);
  }));

test("a link in a further context leads nowhere, and a context must have been sent, under a name", () =>
  withBuilder(async ({ images }) => {
    const link = { name: `${furtherContexts}/shared/link`, type: "2", link: "/etc/passwd" } as const;
    const dockerfile = "FROM scratch\nCOPY --from=shared link /link\n";
    const how = withSource({ contexts: ["shared"] });
    const build = images.build(context(dockerfile, link), how, quietly());
    await assert.rejects(build, { code: "build_failed", message: /COPY --from=shared link/ });
    const refuse = async (contexts: string[]) =>
      assert.rejects(images.build(context(dockerfile, link), withSource({ contexts }), quietly()), {
        code: "invalid_value",
      });
    await refuse(["none"]);
    await refuse(["../context"]);
    await refuse(["a=b"]);
    await refuse(["--x"]);
  }));

test("a step looks into an image that is neither a stage nor a context", () =>
  withBuilder(async ({ images }) => {
    await images.build(
      context("FROM scratch\nCOPY busybox /\n"),
      { ...request, reference: "tools:1" },
      quietly(),
    );
    const dockerfile = `${preamble}RUN --mount=type=bind,from=tools:1,target=/mnt /mnt/busybox echo seen >/seen\n`;
    assert.equal(fileOf(await images.build(context(dockerfile), request, quietly()), "seen"), "seen\n");
  }));

test("keys are there for the steps that ask for them, and in no file", () =>
  withBuilder(async ({ images, storage, directory }) => {
    const ask = { name: "ask", content: compileAskAgent(), mode: 0o755 };
    const keys = [1, 2].map(() =>
      generateKeyPairSync("rsa", {
        modulusLength: 2048,
        privateKeyEncoding: { type: "pkcs1", format: "pem" },
        publicKeyEncoding: { type: "spki", format: "pem" },
      }),
    );
    const dockerfile = `${preamble}COPY ask /ask
RUN --mount=type=ssh /ask >/with
RUN /ask >/without
`;
    const ssh = { default: keys.map(({ privateKey }) => Buffer.from(privateKey)) };
    const image = await images.build(context(dockerfile, ask), withSource({ ssh }), quietly());
    assert.equal(fileOf(image, "with"), "12 2\n");
    assert.equal(fileOf(image, "without"), "none\n");
    assert.deepEqual(leftovers(storage), []);
    for (const { privateKey } of keys) {
      const line = privateKey.split("\n")[3] ?? "";
      assert.throws(() => execFileSync("grep", ["-rqaF", line, storage, directory]));
    }
    const named = images.build(context(dockerfile, ask), withSource({ ssh: { "a=b": [] } }), quietly());
    await assert.rejects(named, { code: "invalid_value" });
  }));

test("steps reach the agent of who asks, one question after the other", () =>
  withBuilder(async ({ images, storage, directory }) => {
    const ask = { name: "ask", content: compileAskAgent(), mode: 0o755 };
    const dockerfile = `${preamble}COPY ask /ask
RUN --mount=type=ssh,id=mine /ask >/one & /ask >/two; wait
`;
    const build = (answer: (message: Uint8Array) => Promise<Uint8Array>) =>
      images.build(
        context(dockerfile, ask),
        withSource({ agent: { ids: ["mine"], ask: answer }, noCache: true }),
        quietly(),
      );
    let [open, most, count] = [0, 0, 0];
    const image = await build(async (message) => {
      assert.equal(message[0], agentMessage.requestIdentities);
      most = Math.max(most, ++open);
      await setImmediate();
      open -= 1;
      count += 1;
      return Uint8Array.of(agentMessage.identities, 0, 0, 0, 0);
    });
    assert.equal(fileOf(image, "one") + fileOf(image, "two"), "12 0\n12 0\n");
    assert.deepEqual([most, count >= 2], [1, true]);
    assert.deepEqual(leftovers(storage), []);
    assert.deepEqual(storedFiles(directory).scratch, []);
  }));

test("another account builds with a cache of its own, which goes with those of all, and has keys as well", () =>
  withStore(async ({ directory, options: { builders: _, ...options } }) => {
    const images = await createImages({ ...options, accounts });
    const ask = { name: "ask", content: compileAskAgent(), mode: 0o755 };
    const dockerfile = `${preamble}COPY ask /ask\nRUN --mount=type=ssh /ask >/with\n`;
    const agent = {
      ids: ["default"],
      ask: async () => Uint8Array.of(agentMessage.identities, 0, 0, 0, 0),
    };
    try {
      const image = await images
        .of(teamAccount)
        .build(context(dockerfile, ask), withSource({ agent }), quietly());
      assert.equal(fileOf(image, "with"), "12 0\n");
      const cache = join(directory, "builds", teamAccount, "storage");
      assert.ok(existsSync(cache));
      await images.collect();
      assert.ok(existsSync(cache));
      await images.collect({ buildCache: true });
      assert.equal(existsSync(cache), false);
      assert.deepEqual(leftovers(directory), []);
    } finally {
      await images.close();
    }
  }));
