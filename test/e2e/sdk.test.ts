/** The vendor's published SDK, driving this daemon. */
import { test } from "node:test";
import { buildBusybox, daemonForFile, idle } from "../kit/machine-test.ts";
import { unikraftSdkScenario } from "../kit/unikraft-sdk-scenario.ts";
import { unikraftSnapshotsScenario } from "../kit/unikraft-snapshots-scenario.ts";

const uni = await daemonForFile();
await buildBusybox(uni, ["--cmd", JSON.stringify(["sh", "-c", idle])]);

test("@unikraft/cloud creates, reads, stops, starts and deletes instances", async () => {
  await unikraftSdkScenario(uni.url, uni.token, "busybox");
});

test("@unikraft/cloud makes templates and checkpoints, and instances of them", async () => {
  await unikraftSnapshotsScenario(uni.url, uni.token, "busybox");
});
