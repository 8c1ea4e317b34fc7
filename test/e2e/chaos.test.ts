/** One round of the chaos; `npm run chaos` runs longer. */
import { test } from "node:test";
import { runChaos } from "../chaos/run.ts";
import { daemonForFile } from "../kit/machine-test.ts";

const uni = await daemonForFile({ env: { UNI_SLEEP_TO_DISK_AFTER: "2" } });

test("every fault once, in random order and under load: nothing fails but what it explains, and all of it ends well", async () => {
  await runChaos({ daemon: uni, seed: 7, ms: 0, print: console.log });
});
