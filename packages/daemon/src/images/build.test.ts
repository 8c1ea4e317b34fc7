/** Builds with the real buildah, in a storage of the test's own and without a network. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import {
  busybox,
  context,
  inRoot,
  leftovers,
  preamble,
  request,
  withBuilder,
  withSource,
  workingContainers,
} from "../../../../test/kit/builds.ts";
import { describe, imageBlobs, indexBlob } from "../../../../test/kit/image-archive.ts";
import { withRegistry } from "../../../../test/kit/registry-pulls.ts";
import { makeTar, type TarMember } from "../../../../test/kit/tar-writer.ts";
import { createBuildahBuilder } from "./buildah.ts";
import type { Progress } from "./port.ts";
import { quietly, storedFiles, stream } from "./test-room.ts";

test("a build: arguments, secret, ignored files, config, progress; the secret is in no file", async () => {
  await withBuilder(async ({ images, storage, directory }) => {
    const dockerfile = `${preamble}ARG GREETING=none
RUN --mount=type=secret,id=token /bin/busybox cat /run/secrets/token | /bin/busybox wc -c > /length && echo $GREETING > /greeting
COPY . /src
ENV MODE=test
CMD ["/bin/busybox", "httpd"]
`;
    const progress: Progress[] = [];
    const image = await images.build(
      context(
        dockerfile,
        { name: ".dockerignore", content: "ignored\n" },
        { name: "ignored", content: "x" },
        { name: "kept", content: "y", mode: 0o640 },
      ),
      withSource({ buildArgs: { GREETING: "hello world" }, secrets: { token: Buffer.from("s3cr3t-t0k3n") } }),
      quietly(progress),
    );
    assert.deepEqual(image.references, ["built:latest"]);
    assert.deepEqual(image.config.cmd, ["/bin/busybox", "httpd"]);
    assert.equal(image.config.env["MODE"], "test");
    inRoot(image, (root) => {
      assert.equal(readFileSync(join(root, "greeting"), "utf8"), "hello world\n");
      assert.equal(readFileSync(join(root, "length"), "utf8").trim(), "12");
      assert.equal(existsSync(join(root, "src/ignored")), false);
      assert.ok(existsSync(join(root, "src/kept")));
    });
    assert.ok(progress.some(({ step, current, total }) => step === "build" && current === 5 && total === 8));
    assert.deepEqual(storedFiles(directory).scratch, []);
    assert.deepEqual(leftovers(storage), []);
    assert.throws(() => execFileSync("grep", ["-rqa", "s3cr3t-t0k3n", storage, directory]));
  });
});

test("ignored files are in no COPY: comments, negations, ** and the last word", async () => {
  await withBuilder(async ({ images }) => {
    const rules = "# comment\n**/*.log\nsecret*\n!secret.pub\ndeep/**/skip\n/only-top\n";
    const names = [
      "a.log",
      "x/y/b.log",
      "secret.key",
      "secret.pub",
      "deep/a/b/skip",
      "deep/keep",
      "only-top",
      "x/only-top",
    ];
    const image = await images.build(
      context(
        "FROM scratch\nCOPY . /src\n",
        { name: ".dockerignore", content: rules },
        ...names.map((name) => ({ name, content: name })),
      ),
      request,
      quietly(),
    );
    inRoot(image, (root) => {
      const kept = names.filter((name) => existsSync(join(root, "src", name)));
      assert.deepEqual(kept, ["secret.pub", "deep/keep", "x/only-top"]);
    });
  });
});

test("a failing step: its number, its output, and nothing left", async () => {
  await withBuilder(async ({ images, storage, directory }) => {
    const build = images.build(context(`${preamble}RUN echo about to fail; exit 7\n`), request, quietly());
    await assert.rejects(build, (error: Error & { code: string }) => {
      assert.equal(error.code, "build_failed");
      assert.match(error.message, /build "built:latest" at step 4\/4 \(RUN echo about to fail; exit 7\)/);
      assert.match(error.message, /\nabout to fail\n/);
      return true;
    });
    assert.deepEqual(workingContainers(storage), []);
    assert.deepEqual(leftovers(storage), []);
    assert.deepEqual(storedFiles(directory), { blobs: [], roots: [], scratch: [] });
  });
});

test("an aborted build ends with everything it started", async () => {
  await withBuilder(async ({ images, storage, directory }) => {
    const controller = new AbortController();
    const onProgress = ({ message }: Progress): void => {
      if (message === "sleeping") controller.abort(new Error("enough"));
    };
    const build = images.build(context(`${preamble}RUN echo sleeping; /bin/busybox sleep 1000\n`), request, {
      signal: controller.signal,
      onProgress,
    });
    await assert.rejects(build, { message: "enough" });
    assert.deepEqual(workingContainers(storage), []);
    assert.deepEqual(leftovers(storage), []);
    assert.deepEqual(storedFiles(directory), { blobs: [], roots: [], scratch: [] });
  });
});

test("stages: a target ends early; an image of the store is a base", async () => {
  await withBuilder(async ({ images }) => {
    const base = `${preamble}RUN echo base > /base\n`;
    const stages = `${base.replace("FROM scratch", "FROM scratch AS first")}FROM scratch\nCOPY --from=first /base /copied\n`;
    const whole = await images.build(context(stages), { ...request, reference: "whole" }, quietly());
    inRoot(whole, (root) => assert.deepEqual(readdirSync(root), ["copied"]));
    const first = await images.build(
      context(stages),
      { ...withSource({ target: "first" }), reference: "team/base:1" },
      quietly(),
    );
    inRoot(first, (root) => assert.ok(existsSync(join(root, "base"))));
    const derived = await images.build(
      context('FROM team/base:1\nRUN ["/bin/busybox", "cp", "/base", "/again"]\n'),
      { ...request, reference: "derived" },
      quietly(),
    );
    inRoot(derived, (root) => assert.equal(readFileSync(join(root, "again"), "utf8"), "base\n"));
  });
});

test("base images of the machine's storage are used, also after they were replaced there", async () => {
  await withBuilder(async ({ images, storage }) => {
    const machine = join(storage, "machine");
    const makeBase = (content: string): void => {
      const place = join(storage, "base");
      mkdirSync(place, { recursive: true });
      writeFileSync(join(place, "busybox"), busybox, { mode: 0o755 });
      writeFileSync(join(place, "which"), content);
      writeFileSync(join(place, "Dockerfile"), `${preamble}COPY which /which\n`);
      const name = "example.com/distribution:1";
      const args = ["--root", machine, "--runroot", join(storage, "run"), "--storage-driver", "overlay"];
      const buildah = (...more: string[]) =>
        execFileSync("unshare", ["--pid", "--fork", "--mount-proc", "buildah", ...args, ...more], {
          stdio: "pipe",
        });
      buildah("rmi", "--all", "--force");
      buildah("bud", "--isolation", "chroot", "--format", "docker", "--tag", name, place);
    };
    const derived =
      'FROM example.com/distribution:1\nENV A=b\nRUN ["/bin/busybox", "cp", "/which", "/copy"]\n';
    for (const content of ["first", "second"]) {
      makeBase(content);
      const image = await images.build(context(derived), request, quietly());
      inRoot(image, (root) => assert.equal(readFileSync(join(root, "copy"), "utf8"), content));
    }
  }, "machine");
});

test("a base image that is nowhere is named, before anything is built", async () => {
  await withBuilder(async ({ images, storage }) => {
    await assert.rejects(images.build(context("FROM 127.0.0.1:1/nosuch:1\n"), request, quietly()), {
      code: "unreachable",
      message: /^take the base image 127\.0\.0\.1:1\/nosuch:1: /,
    });
    assert.equal(existsSync(join(storage, "own")), false);
  });
});

test("base images, runtimes and roots come from registries when they are not here, also by an index's digest", async () => {
  const storage = mkdtempSync(join(tmpdir(), "uni-buildah-"));
  const builder = createBuildahBuilder({ directory: join(storage, "own"), machineStorage: storage });
  try {
    await withRegistry(
      async ({ registry, images, directory }) => {
        const base = imageBlobs({ layers: [makeTar([{ name: "one", content: "1" }])], compress: "gzip" });
        const platform = { os: "linux", architecture: "amd64" };
        const index = indexBlob([{ ...describe(base[0]), platform }]);
        registry.add(base);
        registry.add([index], "1");
        const [tagged, pinned] = [`${registry.host}/base:1`, `${registry.host}/base@${index.digest}`];
        const dockerfile = `FROM ${pinned}\nCOPY --from=${tagged} /one /two\n`;
        const built = await images.build(context(dockerfile), request, quietly());
        inRoot(built, (root) => assert.deepEqual(readdirSync(root), ["one", "two"]));
        await images.remove(tagged, () => []);
        const onBase = { reference: "x", source: { kind: "root" }, base: tagged, changes: {} } as const;
        const stacked = await images.build(stream(makeTar([{ name: "top" }])), onBase, quietly());
        inRoot(stacked, (root) => assert.deepEqual(readdirSync(root), ["one", "top"]));
        const asRoot = { reference: "y", source: { kind: "image", image: pinned }, changes: {} } as const;
        const image = await images.build(stream(Buffer.alloc(0)), asRoot, quietly());
        assert.equal(image.digest, base[0].digest);
        assert.deepEqual(storedFiles(directory).scratch, []);
      },
      { builders: [builder] },
    );
  } finally {
    rmSync(storage, { recursive: true });
  }
});

test("a base image by its digest is that of the store", async () => {
  await withBuilder(async ({ images }) => {
    const base = await images.build(
      context(`${preamble}RUN echo pinned > /base\n`),
      { ...request, reference: "base" },
      quietly(),
    );
    const name = `registry.example.com/base@${base.digest}`;
    const dockerfile = `FROM ${name} AS first\nFROM scratch\nCOPY --from=${name} /base /one\nCOPY --from=first /base /two\n`;
    const image = await images.build(context(dockerfile), request, quietly());
    inRoot(image, (root) => {
      assert.equal(readFileSync(join(root, "one"), "utf8"), "pinned\n");
      assert.equal(readFileSync(join(root, "two"), "utf8"), "pinned\n");
    });
  });
});

const unbuilt: readonly (readonly [
  what: string,
  members: readonly TarMember[],
  code: string,
  message: RegExp,
])[] = [
  ["no Dockerfile", [{ name: "other" }], "build_failed", /"Dockerfile": it is not in the context/],
  [
    "a Dockerfile that is a link out of the context",
    [{ name: "Dockerfile", type: "2", link: "/etc/hostname" }],
    "build_failed",
    /it is not in the context/,
  ],
  ["a file that leaves the context", [{ name: "../x", content: "evil" }], "image_unsafe", /contains \.\./],
  [
    "an instruction that does not exist",
    [{ name: "Dockerfile", content: "FROM scratch\nRUNN x\n" }],
    "build_failed",
    /RUNN/,
  ],
];

for (const [what, members, code, message] of unbuilt) {
  test(`${what}: ${code}`, async () => {
    await withBuilder(async ({ images, directory }) => {
      await assert.rejects(images.build(stream(makeTar(members)), request, quietly()), { code, message });
      assert.deepEqual(storedFiles(directory), { blobs: [], roots: [], scratch: [] });
    });
  });
}

test("links of the context are taken as they are and never followed", async () => {
  await withBuilder(async ({ images }) => {
    const image = await images.build(
      context(
        "FROM scratch\nCOPY dir /dir\n",
        { name: "dir/out", type: "2", link: "/etc/passwd" },
        { name: "dir/a", content: "same" },
        { name: "dir/b", type: "1", link: "dir/a" },
      ),
      request,
      quietly(),
    );
    inRoot(image, (root) => {
      assert.deepEqual(readdirSync(join(root, "dir")).sort(), ["a", "b", "out"]);
      assert.equal(readFileSync(join(root, "dir/b"), "utf8"), "same");
    });
  });
});

test("names of arguments, secrets and stages that would be options are refused", async () => {
  await withBuilder(async ({ images }) => {
    const refuse = (change: object) =>
      assert.rejects(images.build(context("FROM scratch\n"), withSource(change), quietly()), {
        code: "invalid_value",
      });
    await refuse({ buildArgs: { "A B": "x" } });
    await refuse({ secrets: { "a,src=/etc/shadow": Buffer.from("x") } });
    await refuse({ target: "--isolation=oci" });
  });
});
