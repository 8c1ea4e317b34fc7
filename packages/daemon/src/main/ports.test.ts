/** The API's ports that only translate: what they hand on, and what they make of the answer. */
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import { UniError } from "@uni/contract/errors";
import type { AccountId } from "@uni/contract/ids";
import type { Pins } from "../images/pins/pins.ts";
import type { Images } from "../images/port.ts";
import { standardOptions } from "../images/remote/address.ts";
import { account, digestOf, otherAccount, recordOf, withRegistry } from "../instances/test-records.ts";
import type { Kernel } from "../kernels/kernel.ts";
import type { Kernels } from "../kernels/kernels.ts";
import { createFakeImages, fakeImage } from "../operations/fake-host.ts";
import { SavedInstances } from "../snapshots/saved-instances.ts";
import { hostArchitecture } from "../vmm/qemu/architecture.ts";
import { examine } from "./doctor.ts";
import { createImagesPort } from "./images-port.ts";
import { createKernelsPort } from "./kernels-port.ts";
import { createNodePort, type NodeDependencies } from "./node-port.ts";
import type { NodeVmm } from "./node-vmm.ts";
import { limits } from "./simulated-node.ts";

const never = new AbortController().signal;
const ignore = () => {};

const saved = { all: () => [] };
const accounts = [
  { id: account, name: "admin" },
  { id: otherAccount, name: "team" },
];
/** Nothing is pinned unless a test says so. */
const pins = { all: () => [], holding: () => [] } as unknown as Pins;
const trimCache = async ({ all }: { readonly all: boolean }) => (all ? 500 : 50);

test("prune removes images and boot snapshots; more of each if it is asked to", async () => {
  await withRegistry([], async (registry) => {
    const images: Images = {
      ...createFakeImages(),
      collect: async (options) => (options?.buildCache ? 2000 : 1000),
    };
    const port = createImagesPort(images, { registry, saved, pins, accounts }, trimCache).of(account);
    assert.equal(await port.prune({ buildCache: false, bootCache: false }), 1050);
    assert.equal(await port.prune({ buildCache: true, bootCache: false }), 2050);
    assert.equal(await port.prune({ buildCache: false, bootCache: true }), 1500);
  });
});

test("images: listed by digest and tag, shown with who uses them", async () => {
  const records = [
    recordOf(1, { name: "web" }),
    recordOf(2, { name: "db", spec: { imageDigest: digestOf("9") } }),
  ];
  await withRegistry(records, async (registry) => {
    const port = createImagesPort(createFakeImages(), { registry, saved, pins, accounts }, trimCache).of(
      account,
    );
    const count = async (filter: object) => (await port.list(filter as never)).length;
    assert.equal(await count({}), 1);
    assert.equal(await count({ digest: fakeImage.digest }), 1);
    assert.equal(await count({ digest: digestOf("9") }), 0);
    for (const [tag, found] of [
      ["latest", 1],
      ["hello:latest", 1],
      ["late", 0],
      ["hello", 0],
    ] as const) {
      assert.equal(await count({ tag }), found, tag);
    }
    const [listed] = await port.list({});
    assert.equal(listed?.url, `hello@${fakeImage.digest}`);
    assert.equal(listed?.initrd_or_rom, false);
    assert.deepEqual((await port.detail("hello")).used_by, ["web"]);
  });
});

test("images: the machine's own account is told who has and pinned them, others of themselves alone", async () => {
  await withRegistry([recordOf(1, { name: "web" })], async (registry) => {
    const images: Images = {
      ...createFakeImages(),
      list: async () => [{ ...fakeImage, references: ["hello:latest", "team/web:1"] }],
      accountsOf: async () => [account, otherAccount],
    };
    const own = { holding: (_digest: string, of?: AccountId) => (of === otherAccount ? [] : ["a pin"]) };
    const port = createImagesPort(
      images,
      { registry, saved, pins: own as unknown as Pins, accounts },
      trimCache,
    );
    const [whole] = await port.of(account).list({});
    assert.deepEqual([whole?.users, whole?.persistent], [["admin", "team"], true]);
    assert.deepEqual(whole?.tags, ["hello:latest", "team/web:1", fakeImage.digest]);
    const [part] = await port.of(otherAccount).list({});
    assert.deepEqual([part?.users, part?.persistent], [["team"], undefined]);
    assert.deepEqual(
      (await port.of(otherAccount).store({})).map(({ tags }) => tags),
      [["latest", "1"]],
    );
    assert.deepEqual((await port.of(otherAccount).detail("hello")).used_by, []);
    assert.equal(await port.of(otherAccount).prune({ buildCache: true, bootCache: true }), 0);
  });
});

test("images: a removal is told who uses what; a build gets its secrets decoded and its defaults", async () => {
  await withRegistry([recordOf(1, { name: "web" })], async (registry) => {
    const asked: unknown[] = [];
    const images: Images = {
      ...createFakeImages(),
      async remove(_reference, inUse) {
        throw new UniError("in_use", inUse(fakeImage.digest).join());
      },
      async build(_context, request) {
        asked.push(request);
        return fakeImage;
      },
    };
    const port = createImagesPort(images, { registry, saved, pins, accounts }, trimCache).of(account);
    await assert.rejects(port.remove("hello"), /^UniError: web$/);
    const nothing = { upload: Readable.from([]), ask: undefined };
    const ssh = { default: [Buffer.from("k3y").toString("base64")] };
    const secrets = { key: Buffer.from("s3cret").toString("base64") };
    await port.build(
      nothing,
      { kind: "context", reference: "a", secrets, ssh, contexts: ["shared"] } as never,
      ignore,
      never,
    );
    await port.build(
      nothing,
      { kind: "root", reference: "b", config: { cmd: ["x"] } } as never,
      ignore,
      never,
    );
    assert.deepEqual(asked, [
      {
        reference: "a",
        base: undefined,
        source: {
          kind: "context",
          dockerfile: "Dockerfile",
          target: undefined,
          buildArgs: {},
          secrets: { key: Buffer.from("s3cret") },
          ssh: { default: [Buffer.from("k3y")] },
          agent: undefined,
          contexts: ["shared"],
          noCache: false,
        },
        changes: {},
      },
      { reference: "b", base: undefined, source: { kind: "root" }, changes: { cmd: ["x"] } },
    ]);
  });
});

const kernel: Kernel = {
  version: "6.1-1",
  digest: digestOf("1"),
  flavour: "distribution",
  sizeBytes: 10,
  createdAt: "2026-01-01T00:00:00.000Z",
  selected: true,
} as unknown as Kernel;

test("kernels: users are the instances that run on one, and a removal is told of them", async () => {
  const on = (name: string, number: number, state: "running" | "stopped") =>
    recordOf(number, { name, status: { state, kernel: "6.1-1" } });
  await withRegistry([on("web", 1, "running"), on("old", 2, "stopped")], async (registry) => {
    const kernels = {
      list: async () => [kernel],
      remove: async (version: string, inUse: (version: string) => readonly string[]) => {
        throw new UniError("in_use", inUse(version).join());
      },
    } as unknown as Kernels;
    const port = createKernelsPort(kernels, { registry, saved });
    const [listed] = await port.list();
    assert.deepEqual([listed?.version, listed?.current, listed?.used_by], ["6.1-1", true, ["web"]]);
    await assert.rejects(port.remove("6.1-1"), /^UniError: web$/);
  });
});

const broken = {
  nodeVmm: {
    known: undefined,
    ready: () => Promise.reject(new UniError("host_unfit", "no accelerator", { hint: "Buy one." })),
  } as unknown as NodeVmm,
  kernels: {
    list: async () => [],
    current: () => Promise.reject(new UniError("kernel_not_found", "no kernel")),
  } as unknown as Kernels,
  dataDirectory: "/",
  cacheDirectory: "/no/such/place",
  network: { pool: "10.0.0.0/16", gateway: "169.254.1.1" },
};

test("doctor: what is broken is named with its hint, and never breaks the rest", async () => {
  const { healthy, checks } = await examine(broken);
  const status = Object.fromEntries(checks.map((check) => [check.name, check]));
  assert.equal(healthy, false);
  assert.deepEqual(
    [status["accelerator"]?.status, status["accelerator"]?.hint, status["kernel"]?.message],
    ["failed", "Buy one.", "no kernel"],
  );
  assert.deepEqual(
    [status["cache directory"]?.status, status["data directory"]?.status === "failed"],
    ["failed", false],
  );
  for (const check of checks) {
    if (check.status === "failed" && check.name !== "kernel")
      assert.notEqual(check.hint, undefined, check.name);
  }
});

test("doctor: the emulator is the one of this processor", async () => {
  const { checks } = await examine(broken);
  const names = checks.map(({ name }) => name);
  assert.ok(names.includes(hostArchitecture().program), names.join());
});

test("node: quotas count the account's own, and information is there without a machine monitor", async () => {
  const records = [
    recordOf(1, { status: { state: "running" }, spec: { memoryMb: 256, vcpus: 2 } }),
    recordOf(2),
    recordOf(3, { account: otherAccount, status: { state: "running" } }),
  ];
  await withRegistry(records, async (registry, db) => {
    const node = createNodePort({
      ...broken,
      registry,
      saved: await SavedInstances.open(db),
      limits,
      images: createFakeImages(),
      config: { dataDirectory: "/data", socketPath: "/run/s", registries: standardOptions },
      services: { countOf: () => ({ groups: 2, ports: 3 }) },
      startedAt: 0,
      address: () => undefined,
      shutdown: ignore,
    } as unknown as NodeDependencies);
    const { used, hard } = node.quotas(account);
    assert.deepEqual(
      [used?.instances, used?.live_instances, used?.live_vcpus, used?.live_memory_mb],
      [2, 1, 2, 256],
    );
    assert.deepEqual([used?.service_groups, used?.services, used?.volumes], [2, 3, 0]);
    assert.equal(hard?.live_memory_mb, limits.liveMemoryMb);
    const info = await node.info();
    assert.deepEqual([info.instances, info.kernel, info.images], [{ total: 3, running: 2 }, undefined, 1]);
    assert.equal((await node.healthz()).accelerator, undefined);
  });
});
