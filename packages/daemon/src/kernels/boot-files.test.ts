import assert from "node:assert/strict";
import { readFile, rm, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { runOk } from "../host/process.ts";
import { makeTestCache } from "./test-bundles.ts";

test("the initramfs holds the agent as /init, the modules and their order", async (t) => {
  const cache = await makeTestCache(t);
  await cache.add("1-1");
  const { initramfsPath, kernelPath } = await (await cache.kernels("one")).bootFiles("1-1");
  const archive = await readFile(initramfsPath);
  const { stdout } = await runOk("cpio", ["-i", "-t", "--quiet"], { stdin: archive });
  const names = stdout.toString().trim().split("\n");
  for (const name of ["init", "dev", "proc", "sys", "modules", "modules/order", "modules/virtio.ko"]) {
    assert.ok(names.includes(name), name);
  }
  assert.equal(await readFile(kernelPath, "utf8"), "kernel 1-1");
});

test("daemons that share cache and agent get the same files; another agent or kernel gives another id", async (t) => {
  const cache = await makeTestCache(t);
  await cache.add("1-1");
  await cache.add("2-1");
  const first = await (await cache.kernels("one")).bootFiles("1-1");
  assert.deepEqual(await (await cache.kernels("two")).bootFiles("1-1"), first);
  assert.match(first.id, /^[0-9a-f]{64}$/);
  const ids = new Set([first.id, (await (await cache.kernels("one")).bootFiles("2-1")).id]);
  await writeFile(cache.agentPath, "newer agent");
  const newer = await (await cache.kernels("three")).bootFiles("1-1");
  assert.equal(ids.add(newer.id).size, 3);
  assert.notEqual(newer.initramfsPath, first.initramfsPath);
});

test("an initramfs that somebody removed is made again", async (t) => {
  const cache = await makeTestCache(t);
  await cache.add("1-1");
  const kernels = await cache.kernels("one");
  const files = await kernels.bootFiles("1-1");
  await rm(files.initramfsPath);
  assert.deepEqual(await kernels.bootFiles("1-1"), files);
  await readFile(files.initramfsPath);
});

test("an agent that is not built is named, and found once it is", async (t) => {
  const cache = await makeTestCache(t);
  await cache.add("1-1");
  await rm(cache.agentPath);
  const kernels = await cache.kernels("one");
  await assert.rejects(kernels.bootFiles("1-1"), {
    code: "host_unfit",
    message: /agent is not built|not built/,
  });
  await writeFile(cache.agentPath, "agent");
  await kernels.bootFiles("1-1");
});
