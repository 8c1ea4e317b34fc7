import assert from "node:assert/strict";
import { test } from "node:test";
import { UniError } from "@uni/contract/errors";
import { limits } from "@uni/contract/limits";
import type { PortWish } from "../instances/port-changes.ts";
import type { InstancePort, InstanceRecord } from "../instances/record.ts";
import type { Registry } from "../instances/registry.ts";
import { otherAccount, recordOf, withRegistry } from "../instances/test-records.ts";
import { attachmentOf, liveAttachments } from "./attachments.ts";
import { createFakeNetwork, type FakeNetwork } from "./fake-host.ts";
import { createPublish } from "./publish-ports.ts";

const { minimum, maximum } = limits.exposedPorts;
const wish = (hostPort: number | undefined, guestPort = 80): PortWish => ({
  hostAddress: "0.0.0.0",
  hostPort,
  guestPort,
  protocol: "tcp",
});
const running = { state: "running", intent: "run" } as const;
const held = (hostPort: number) => ({ ports: [{ host_port: hostPort, guest_port: 1 }] });

interface Scene {
  readonly network: FakeNetwork;
  readonly registry: Registry;
  readonly publish: (record: InstanceRecord, ...wishes: readonly PortWish[]) => Promise<void>;
  readonly portsOf: (record: InstanceRecord) => readonly number[];
}

async function withPublish(records: readonly InstanceRecord[], body: (scene: Scene) => Promise<void>) {
  await withRegistry(records, async (registry) => {
    const network = createFakeNetwork();
    for (const record of records) {
      if (record.status.state !== "stopped") await network.attach(attachmentOf(network, record, true));
    }
    const publish = createPublish({
      network,
      otherAttachments: ({ account, id: except }) =>
        liveAttachments(network, registry.all(), { account, except }),
      portsOfAll: () => registry.all().flatMap(({ spec }) => spec.ports),
    });
    await body({
      network,
      registry,
      publish: ({ id }, ...wishes) =>
        publish(registry.get(id), wishes, (ports: readonly InstancePort[]) =>
          registry.change(id, { spec: { ports } }),
        ),
      portsOf: ({ id }) => registry.get(id).spec.ports.map(({ hostPort }) => hostPort),
    });
  });
}

const web = recordOf(1, { name: "web", status: running });
const db = recordOf(2, { name: "db", status: running, request: held(8080) });
const idle = recordOf(3, { name: "idle", request: held(minimum) });
const foreign = recordOf(4, {
  name: "secret",
  account: otherAccount,
  status: running,
  request: held(9090),
});

test("what is asked for is on the host and in the record", async () => {
  await withPublish([web], async ({ network, publish, portsOf }) => {
    await publish(web, wish(8080), wish(8081, 81));
    assert.deepEqual(portsOf(web), [8080, 8081]);
    assert.equal(network.attached.get(web.address)?.ports.length, 2);
  });
});

test("a free port is picked, clear of what runs, of what is stopped, and of what is picked at the same time", async () => {
  await withPublish([web, db, idle], async ({ publish, portsOf }) => {
    await Promise.all([publish(web, wish(undefined)), publish(db, wish(undefined), wish(undefined, 81))]);
    assert.deepEqual(portsOf(web), [minimum + 1]);
    assert.deepEqual(portsOf(db), [minimum + 2, minimum + 3]);
  });
});

test("a taken port is refused with its owner, whose name another account does not learn", async () => {
  await withPublish([web, db, foreign], async ({ network, publish, portsOf }) => {
    await assert.rejects(publish(web, wish(8080)), { code: "port_in_use", message: /db/ });
    await assert.rejects(
      publish(web, wish(9090)),
      ({ code, message }: UniError) => code === "port_in_use" && !message.includes("secret"),
    );
    await assert.rejects(publish(web, wish(7000), wish(7000, 81)), { code: "port_in_use", message: /web/ });
    assert.deepEqual(portsOf(web), []);
    assert.deepEqual(network.attached.get(web.address)?.ports, []);
  });
});

test("of a stopped instance the port is written down only, and asked for where it starts", async () => {
  await withPublish([idle, db], async ({ network, publish, portsOf }) => {
    await publish(idle, wish(8080));
    assert.deepEqual([portsOf(idle), network.attached.get(idle.address)], [[8080], undefined]);
  });
});

test("what the host refuses is not in the record", async () => {
  await withPublish([db], async ({ network, publish, portsOf }) => {
    network.publish = async () => {
      throw new UniError("failed", "no nft");
    };
    await assert.rejects(publish(db, wish(8081)), { code: "failed" });
    assert.deepEqual(portsOf(db), [8080]);
  });
});

test("when the range is used up it says so", async () => {
  await withPublish([web], async ({ network, publish }) => {
    network.checkPorts = async ([port]) => {
      if ((port?.hostPort ?? 0) <= maximum) throw new UniError("port_in_use", "somebody has it");
    };
    await assert.rejects(publish(web, wish(undefined)), { code: "none_free" });
    await publish(web, wish(maximum + 1));
  });
});
