/** Ports of a guest that change while it is attached, with a namespace in the place of its machine. */
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import { attachmentFor, published, testNetwork } from "../../../../test/kit/network/attachments.ts";
import { ask } from "../../../../test/kit/network/conversation.ts";
import { type Station, startGuest } from "../../../../test/kit/network/station.ts";
import { enterOwnNamespaces } from "../../../../test/kit/own-namespaces.ts";
import { until } from "../../../../test/kit/until.ts";
import { gatewayAddress } from "./names.ts";
import type { Attachment, Network, PublishedPort } from "./port.ts";

enterOwnNamespaces();

const port = 7000;
const echoPort = 7001;
const local = "127.0.0.1";
let network: Network;
let alice: Attachment;
let guest: Station;
let echo: ChildProcess;

const echoing = `require("node:net").createServer((socket) => socket.pipe(socket)).listen(${echoPort})`;

before(async () => {
  network = await testNetwork("pub1");
  alice = attachmentFor(network, "a", "alice", [published(8000, port)]);
  await network.attach(alice);
  guest = await startGuest("alice", { ...alice, gateway: gatewayAddress });
  await guest.answer("alice", port);
  echo = spawn("nsenter", ["--net=/run/netns/alice", "--", process.execPath, "-e", echoing]);
});

after(async () => {
  const ended = once(echo, "exit");
  echo.kill("SIGKILL");
  await ended;
  await guest.end();
});

/** `say` answers with what comes back, or why nothing does. */
async function talkTo(hostPort: number) {
  const socket = await until("somebody listens", async () => {
    const opened = connect(hostPort, local);
    return once(opened, "connect").then(
      () => opened,
      () => undefined,
    );
  });
  return {
    end: () => socket.destroy(),
    async say(text: string): Promise<string> {
      socket.write(text);
      return once(socket, "data").then(
        ([bytes]) => String(bytes),
        (error: NodeJS.ErrnoException) => `!${error.code}`,
      );
    },
  };
}

const publish = (...ports: readonly PublishedPort[]) => network.publish({ ...alice, ports });
const at = (hostPort: number, protocol: "tcp" | "udp" = "tcp") =>
  ask({ protocol, address: local, port: hostPort });
const wrong = (...ports: readonly PublishedPort[]) => network.reconcile([{ ...alice, ports }]);

test("what is added leads to the guest, what is taken away does not, what stays goes on", async () => {
  await publish(published(8000, port), published(8001, port), published(8001, port, { protocol: "udp" }));
  for (const [hostPort, protocol] of [
    [8000, "tcp"],
    [8001, "tcp"],
    [8001, "udp"],
  ] as const) {
    assert.match(await at(hostPort, protocol), /^alice /, `${hostPort}/${protocol}`);
  }
  await publish(published(8001, port, { hostAddress: local }));
  assert.equal(await at(8000), "!ECONNREFUSED");
  assert.equal(await at(8001, "udp"), "!ECONNREFUSED");
  assert.match(await at(8001), /^alice /);
  assert.deepEqual(await wrong(published(8001, port, { hostAddress: local })), []);
});

test("a client that sends UDP before the port is published is answered from then on", async () => {
  await publish();
  assert.equal(await at(8002, "udp"), "!ECONNREFUSED");
  await publish(published(8002, port, { protocol: "udp" }));
  assert.match(await at(8002, "udp"), /^alice /);
});

test("a connection through a port that is taken away ends, and another one goes on", async () => {
  await publish(published(8003, echoPort), published(8004, echoPort));
  const [gone, kept] = [await talkTo(8003), await talkTo(8004)];
  await publish(published(8004, echoPort));
  assert.equal(await gone.say("once more"), "!ECONNRESET");
  assert.equal(await kept.say("once more"), "once more");
  kept.end();
});

test("ports that another guest has, and nonsense, change nothing", async () => {
  const bob = attachmentFor(network, "b", "bob", [published(8005, port)]);
  await network.attach(bob);
  await publish(published(8000, port));
  await assert.rejects(publish(published(8005, port)), { code: "port_in_use" });
  await assert.rejects(publish(published(0, port)), { code: "invalid_value" });
  await assert.rejects(publish(published(8006, port, { hostAddress: "192.0.2.9" })), {
    code: "invalid_value",
  });
  assert.match(await at(8000), /^alice /);
  assert.deepEqual(await network.reconcile([{ ...alice, ports: [published(8000, port)] }, bob]), []);
  await network.detach(bob);
});

test("of one that sleeps, the new port holds packets, and going on disk and back keeps it", async () => {
  for (const asleep of ["paused", "disk"] as const) {
    await publish();
    await network.sleep({ ...alice, ports: [], asleep });
    // Says nothing of how it sleeps: that stays as it is.
    await publish(published(8007, port));
    const asked = at(8007);
    const { promise: woken, resolve } = Promise.withResolvers<string>();
    const end = network.onWake(resolve);
    assert.equal(await woken, alice.address);
    end();
    assert.deepEqual(await network.reconcile([{ ...alice, asleep, ports: [published(8007, port)] }]), []);
    if (asleep === "disk") continue;
    await network.wake({ ...alice, ports: [published(8007, port)] });
    assert.match(await asked, /^alice /);
  }
});

test("what was damaged meanwhile is repaired on the way", async () => {
  await network.wake({ ...alice, ports: [published(8007, port)] });
  execFileSync("nft", ["flush", "map", "inet", "uni_pub1", "ports"]);
  await publish(published(8008, port));
  assert.deepEqual(await wrong(published(8008, port)), []);
});
