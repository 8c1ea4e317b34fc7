/** What goes into a build beside its context: further contexts, keys, images that a step looks into. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { furtherContexts } from "@uni/contract/rpc-params";
import {
  context,
  inRoot,
  leftovers,
  preamble,
  request,
  withBuilder,
  withSource,
} from "../../../../test/kit/builds.ts";
import type { Image } from "./port.ts";
import { quietly, storedFiles } from "./test-room.ts";

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
    await assert.rejects(build, { code: "build_failed", message: /no such file|matched/ });
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

/** Asks the agent which keys it has (draft-miller-ssh-agent, 4.4), and prints the answer's type and their number. */
const askAgent = `#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
int main(void) {
  struct sockaddr_un at = { .sun_family = AF_UNIX };
  const char *path = getenv("SSH_AUTH_SOCK");
  unsigned char answer[9];
  if (path == NULL) { puts("none"); return 0; }
  strncpy(at.sun_path, path, sizeof at.sun_path - 1);
  int agent = socket(AF_UNIX, SOCK_STREAM, 0);
  if (connect(agent, (struct sockaddr *)&at, sizeof at) != 0) return 1;
  if (write(agent, "\\0\\0\\0\\1\\13", 5) != 5) return 2;
  for (int got = 0, now; got < 9; got += now)
    if ((now = read(agent, answer + got, 9 - got)) <= 0) return 3;
  printf("%d %d\\n", answer[4], answer[8]);
}
`;

test("keys are there for the steps that ask for them, and in no file", () =>
  withBuilder(async ({ images, storage, directory }) => {
    const place = mkdtempSync(join(tmpdir(), "uni-agent-"));
    try {
      writeFileSync(join(place, "ask.c"), askAgent);
      execFileSync("musl-gcc", ["-static", "-o", join(place, "ask"), join(place, "ask.c")]);
      const ask = { name: "ask", content: readFileSync(join(place, "ask")), mode: 0o755 };
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
    } finally {
      rmSync(place, { recursive: true });
    }
  }));
