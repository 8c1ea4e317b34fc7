import assert from "node:assert/strict";
import { test } from "node:test";
import { isOutdated, loadOrder, moduleName, readModuleIndex, wantedModules } from "./modules.ts";

const dependencies = `kernel/net/virtio_net.ko: kernel/net/net_failover.ko kernel/virtio/virtio_ring.ko
kernel/net/net_failover.ko: kernel/net/failover.ko
kernel/net/failover.ko:
kernel/virtio/virtio_ring.ko:
kernel/char/virtio-rng.ko.xz: kernel/virtio/virtio_ring.ko
`;

test("a module comes after all that it needs, and only once", () => {
  const order = loadOrder(readModuleIndex(dependencies, ""), ["virtio_net", "virtio_rng"], []);
  assert.deepEqual(order.map(moduleName), [
    "failover",
    "net_failover",
    "virtio_ring",
    "virtio_net",
    "virtio_rng",
  ]);
});

test("built in is as good as a module, and an optional one may be missing", () => {
  const index = readModuleIndex(dependencies, "kernel/fs/ext4/ext4.ko\n");
  assert.deepEqual(loadOrder(index, ["ext4"], ["fuse"]), []);
});

test("a needed module that the kernel has in no form is named", () => {
  assert.throws(
    () => loadOrder(readModuleIndex(dependencies, ""), ["erofs", "virtio_net"], []),
    /has no erofs/,
  );
});

test("modules that need each other are refused", () => {
  const index = readModuleIndex("a.ko: b.ko\nb.ko: a.ko\n", "");
  assert.throws(() => loadOrder(index, ["a"], []), /depends on itself/);
});

test("a dependency that is not listed is refused", () => {
  assert.throws(() => loadOrder(readModuleIndex("a.ko: b.ko\n", ""), ["a"], []), /does not list b.ko/);
});

test("a bundle that was made when fewer modules were asked for is outdated, a lean kernel never is", () => {
  assert.equal(isOutdated({ flavour: "distribution" }), true);
  assert.equal(isOutdated({ flavour: "distribution", modules: wantedModules.slice(1) }), true);
  assert.equal(isOutdated({ flavour: "distribution", modules: wantedModules }), false);
  assert.equal(isOutdated({ flavour: "lean" }), false);
});

for (const line of [
  "../../etc/shadow.ko:",
  "/etc/shadow.ko:",
  "kernel/../../x.ko:",
  "kernel/a.ko: /etc/passwd",
  "kernel/a.sh:",
  "no colon",
]) {
  test(`refuses modules.dep with ${JSON.stringify(line)}`, () => {
    assert.throws(() => readModuleIndex(`${line}\n`, ""), /read modules\.dep/);
  });
}
