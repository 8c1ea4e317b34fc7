/** Files into and out of instances, running and stopped: one suite for both, since the words mean the same. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { buildBusybox, daemonForFile, idle, runScript } from "../kit/machine-test.ts";

const uni = await daemonForFile();
await buildBusybox(uni);
await runScript(uni, "box", idle);

const local = (name: string) => join(uni.directory, name);

async function copies(t: TestContext, state: string): Promise<void> {
  const big = randomBytes(8 << 20);

  await t.test("a large file goes in and comes out the same", async () => {
    writeFileSync(local("big"), big);
    await uni.ok(["cp", local("big"), `box:/root/big-${state}`]);
    await uni.ok(["cp", `box:/root/big-${state}`, local(`back-${state}`)]);
    assert.ok(readFileSync(local(`back-${state}`)).equals(big));
  });

  await t.test("a tree keeps its modes and links", async () => {
    const tree = local(`tree-${state}`);
    mkdirSync(join(tree, "sub/empty"), { recursive: true });
    writeFileSync(join(tree, "sub/run"), "#!/bin/sh\n");
    chmodSync(join(tree, "sub/run"), 0o751);
    symlinkSync("sub/run", join(tree, "link"));
    await uni.ok(["cp", tree, "box:/var"]);
    const out = local(`out-${state}`);
    await uni.ok(["cp", `box:/var/tree-${state}`, out]);
    assert.equal(statSync(join(out, "sub/run")).mode & 0o7777, 0o751);
    assert.equal(readlinkSync(join(out, "link")), "sub/run");
    assert.ok(statSync(join(out, "sub/empty")).isDirectory());
  });

  await t.test("what the image brought comes out too", async () => {
    await uni.ok(["cp", "box:/etc/passwd", local(`passwd-${state}`)]);
    assert.match(readFileSync(local(`passwd-${state}`), "utf8"), /^root:x:0/);
  });

  await t.test("files of the kernel, which have no size, come out as they are read", async () => {
    for (const [path, wanted] of [
      ["/proc/filesystems", /\text4\n/],
      ["/proc/sys/kernel/ostype", /^Linux\n$/],
      ["/sys/kernel/mm/transparent_hugepage/enabled", /^[a-z [\]]+\n$/],
    ] as const) {
      const to = local(`sizeless-${state}`);
      await uni.ok(["cp", `box:${path}`, to]);
      assert.match(readFileSync(to, "utf8"), wanted, path);
    }
  });

  await t.test("a tar goes out by stdout and in by stdin", async () => {
    const { code, bytes } = await uni.uni(["cp", "box:/etc/passwd", "-"]);
    assert.equal(code, 0);
    assert.equal(bytes.subarray(257, 262).toString(), "ustar");
    const back = await uni.uni(["cp", "-", "box:/tmp"], { stdin: bytes });
    assert.equal(back.code, 0, back.stderr);
    await uni.ok(["cp", "box:/tmp/passwd", local(`again-${state}`)]);
    assert.match(readFileSync(local(`again-${state}`), "utf8"), /^root:x:0/);
  });

  await t.test("a path that is not there is named", async () => {
    const refusal = await uni.refused(["cp", "box:/no/such/file", local("nothing")]);
    assert.equal(refusal.code, "not_found");
    assert.match(refusal.message, /\/no\/such\/file/);
    assert.ok(!existsSync(local("nothing")));
    assert.notEqual((await uni.uni(["cp", local("big"), "box:/no/such/directory/big"])).code, 0);
  });
}

test("a running instance", async (t) => {
  await copies(t, "running");
});

test("a stopped instance", async (t) => {
  await uni.ok(["exec", "box", "sh", "-c", "echo before >/root/before"]);
  await uni.ok(["stop", "box"]);
  await copies(t, "stopped");

  await t.test(
    "what was written while it ran comes out, and what was put in is there when it runs",
    async () => {
      await uni.ok(["cp", "box:/root/before", local("before")]);
      assert.equal(readFileSync(local("before"), "utf8"), "before\n");
      writeFileSync(local("given"), "given\n");
      await uni.ok(["cp", local("given"), "box:/root/given"]);
      assert.equal((await uni.json(["inspect", "box"])).state, "stopped");
      await uni.ok(["start", "box"]);
      assert.equal(await uni.ok(["exec", "box", "cat", "/root/given"]), "given");
    },
  );
});
