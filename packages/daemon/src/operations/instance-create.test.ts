import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { UniError } from "@uni/contract/errors";
import type { AccountId } from "@uni/contract/ids";
import type { CreateInstanceRequest } from "@uni/contract/resources/instance";
import { KeyedQueue } from "../base/keyed-queue.ts";
import { ManualClock } from "../base/manual-clock.ts";
import type { Images } from "../images/port.ts";
import { RomFiles } from "../images/rom-files.ts";
import type { InstanceRecord } from "../instances/record.ts";
import type { Registry } from "../instances/registry.ts";
import { account, recordOf, withRegistry } from "../instances/test-records.ts";
import { SavedInstances } from "../snapshots/saved-instances.ts";
import { createFakeImages, createFakeNetwork } from "./fake-host.ts";
import { createInstances } from "./instance-create.ts";

const limits = {
  instances: 6,
  liveVcpus: 4,
  liveMemoryMb: 1000,
  minMemoryMb: 64,
  maxMemoryMb: 900,
  maxVcpus: 4,
};

type Create = (request: CreateInstanceRequest) => Promise<InstanceRecord[]>;

async function withCreate(
  records: readonly InstanceRecord[],
  body: (create: Create, registry: Registry) => Promise<void>,
  labels: Readonly<Record<string, string>> = {},
  more: Partial<Images> = {},
): Promise<void> {
  await withRegistry(records, async (registry, db) => {
    const network = createFakeNetwork();
    const admissions = new KeyedQueue<AccountId>();
    const clock = new ManualClock();
    const saved = await SavedInstances.open(db);
    const directory = mkdtempSync(join(tmpdir(), "roms-"));
    const romFiles = await RomFiles.open(directory);
    const deps = {
      registry,
      saved,
      images: {
        ...createFakeImages(),
        find: async (reference: string) => {
          const image = await createFakeImages().find(reference);
          return image === undefined ? undefined : { ...image, config: { ...image.config, labels } };
        },
        ...more,
      },
      romFiles,
      network,
      clock,
      limits,
      admissions,
    };
    await body((request) => createInstances(deps, account, request, false), registry).finally(() =>
      rmSync(directory, { recursive: true }),
    );
  });
}

test("an instance is stored, stopped, with a name and an address of its own", async () => {
  await withCreate([], async (create, registry) => {
    const [made] = await create({ image: "hello" });
    assert.deepEqual(registry.all(), [made]);
    assert.match(made?.name ?? "", /^hello-[a-z0-9]{5}$/);
    assert.deepEqual([made?.status.state, made?.status.startCount], ["stopped", 0]);
  });
});

test("replicas are more of the same, each with its name and address", async () => {
  await withCreate([], async (create) => {
    const made = await create({ image: { url: "hello" } as never, name: "web", replicas: 2 });
    assert.equal(made.length, 3);
    assert.deepEqual([made[0]?.name, new Set(made.map(({ address }) => address)).size], ["web", 3]);
    for (const { name } of made.slice(1)) assert.match(name, /^web-[a-z0-9]{5}$/);
    const long = "n".repeat(255);
    const [, replica] = await create({ image: "hello", name: long, replicas: 1 });
    assert.equal(replica?.name.length, 255);
  });
});

test("images of an instance and of its ROMs are looked for as its account has them", async () => {
  const asked: string[] = [];
  const of = (whose: AccountId): Images => {
    asked.push(whose);
    return createFakeImages();
  };
  await withCreate(
    [],
    async (create) => {
      await create({ image: "hello", roms: [{ name: "r", image: "hello" }] });
      assert.deepEqual(new Set(asked), new Set([account]));
      assert.equal(asked.length, 3);
    },
    {},
    { of },
  );
});

const live = recordOf(1, {
  name: "web",
  request: { ports: [{ host_port: 80, guest_port: 80 }], memory_mb: 400 },
  status: { state: "running", intent: "run" },
});
const refused: readonly [what: string, CreateInstanceRequest, code: string, message: RegExp][] = [
  ["a name that is taken", { image: "hello", name: "web" }, "already_exists", /the name is taken/],
  [
    "an image that is not there",
    { image: { url: "nothing", pull_policy: "never" } },
    "image_not_found",
    /nothing/,
  ],
  [
    "a port that a live instance has",
    { image: "hello", autostart: true, ports: [{ host_port: 80, guest_port: 1 }] },
    "port_in_use",
    /web has it/,
  ],
  [
    "more replicas than the quota",
    { image: "hello", replicas: 6 },
    "quota_exceeded",
    /7 instances|8 instances/,
  ],
  [
    "more live memory than the quota",
    { image: "hello", memory_mb: 700, autostart: true },
    "quota_exceeded",
    /MB/,
  ],
];

for (const [what, request, code, message] of refused) {
  test(`refused, and nothing is stored: ${what}`, async () => {
    await withCreate([live], async (create, registry) => {
      await assert.rejects(
        create(request),
        (error: UniError) => error.code === code && message.test(error.message),
      );
      assert.equal(registry.all().length, 1);
    });
  });
}

test("what is not started holds neither ports nor memory", async () => {
  await withCreate([live], async (create) => {
    const [made] = await create({
      image: "hello",
      memory_mb: 700,
      ports: [{ host_port: 80, guest_port: 1 }],
    });
    assert.equal(made?.spec.memoryMb, 700);
  });
});

test("creates at the same moment get different addresses, and one name is given once", async () => {
  await withCreate([], async (create) => {
    const made = await Promise.all([1, 2, 3].map(() => create({ image: "hello" })));
    assert.equal(new Set(made.flat().map(({ address }) => address)).size, 3);
    const results = await Promise.allSettled([1, 2].map(() => create({ image: "hello", name: "same" })));
    assert.deepEqual(results.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
  });
});

const prefix = "cloud.unikraft.v1.instances/scale_to_zero.";

test("labels of the image say how its instances sleep, where nobody else does", async () => {
  const labels = {
    [`${prefix}policy`]: "idle",
    [`${prefix}stateful`]: "true",
    [`${prefix}cooldown_time_ms`]: "2500",
    "cloud.unikraft.v1.instances/other": "x",
  };
  await withCreate(
    [],
    async (create) => {
      const [made] = await create({ image: "hello" });
      assert.deepEqual(made?.spec.scaleToZero, {
        policy: "idle",
        stateful: true,
        cooldownMs: 2500,
        notifyMs: 0,
      });
      const [own] = await create({ image: "hello", scale_to_zero: { policy: "off" } });
      assert.equal(own?.spec.scaleToZero?.policy, "off");
      const [passing] = await create({ image: "hello", features: ["delete-on-stop"] });
      assert.equal(passing?.spec.scaleToZero, null);
    },
    labels,
  );
});

test("a label that means nothing is told, and nothing is stored", async () => {
  for (const [name, value] of [
    ["policy", "sometimes"],
    ["stateful", "yes"],
    ["cooldown_time_ms", "-1"],
    ["cooldown_time_ms", "99999999999"],
  ] as const) {
    await withCreate(
      [],
      async (create, registry) => {
        await assert.rejects(create({ image: "hello" }), (error: UniError) => {
          return error.code === "invalid_value" && error.message.includes(`scale_to_zero.${name}`);
        });
        assert.equal(registry.all().length, 0);
        assert.equal((await create({ image: "hello", scale_to_zero: { policy: "on" } })).length, 1);
      },
      { [`${prefix}${name}`]: value },
    );
  }
});
