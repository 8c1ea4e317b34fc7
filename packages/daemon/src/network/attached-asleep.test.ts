/** A copy that runs before it is itself: its machine is there, and who asks it is held. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { attachmentFor, testNetwork } from "../../../../test/kit/network/attachments.ts";
import { ask } from "../../../../test/kit/network/conversation.ts";
import { startGuest } from "../../../../test/kit/network/station.ts";
import { enterOwnNamespaces } from "../../../../test/kit/own-namespaces.ts";
import { until } from "../../../../test/kit/until.ts";
import { gatewayAddress } from "./names.ts";

enterOwnNamespaces();

const port = 7000;

test("one that is attached asleep gets nothing until it is awake, and then all of it", async () => {
  const network = await testNetwork("one1");
  const reported: string[] = [];
  network.onWake((address) => reported.push(address));
  const carol = attachmentFor(network, "a", "carol");
  await network.attach({ ...carol, asleep: "paused" });
  const station = await startGuest("carol", { ...carol, gateway: gatewayAddress });
  await station.answer("carol", port);
  const answer = ask({ protocol: "tcp", address: carol.address, port });
  await until("the packet is held", () => reported.length > 0);
  assert.deepEqual(reported, [carol.address]);
  assert.equal((await network.wakeStats()).held, 1);
  await network.wake(carol);
  assert.equal(await answer, `carol ${gatewayAddress}`);
  await station.end();
  await network.remove();
});

test("a device is made before all else of its guest, and goes with it", async () => {
  const network = await testNetwork("one2");
  const reported: string[] = [];
  network.onWake((address) => reported.push(address));
  const dave = attachmentFor(network, "a", "dave");
  await network.makeDevice(dave);
  const station = await startGuest("dave", { ...dave, gateway: gatewayAddress });
  await station.answer("dave", port);
  const answer = ask({ protocol: "tcp", address: dave.address, port });
  await until("the packet is held", () => reported.length > 0);
  await network.attach({ ...dave, asleep: "paused" });
  await network.wake(dave);
  assert.equal(await answer, `dave ${gatewayAddress}`);
  assert.deepEqual(await network.reconcile([dave]), []);
  await station.end();
  await network.detach(dave);
  const erin = attachmentFor(network, "a", "erin");
  await network.makeDevice(erin);
  await network.detach(erin);
  assert.equal(await network.traffic(erin.tap), undefined);
  assert.deepEqual(await network.reconcile([]), []);
  await network.remove();
});
