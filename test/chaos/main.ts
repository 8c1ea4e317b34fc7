/** Usage: npm run chaos [-- --minutes N] [--seed S] [--only TEXT]     Ends with 1 if anything did not hold, and says what. */
import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import { startDaemon } from "../kit/daemon.ts";
import { enterOwnNamespaces } from "../kit/own-namespaces.ts";
import { runChaos } from "./run.ts";

enterOwnNamespaces();
const { values } = parseArgs({
  options: { minutes: { type: "string", default: "5" }, seed: { type: "string" }, only: { type: "string" } },
});
const seed = Number(values.seed ?? randomInt(2 ** 31));
const daemon = await startDaemon({ env: { UNI_SLEEP_TO_DISK_AFTER: "2" } });
let held = false;
try {
  const { only = "" } = values;
  await runChaos({ daemon, seed, ms: Number(values.minutes) * 60_000, print: console.log, only });
  held = true;
} finally {
  await daemon.stop({ checkLeftovers: held });
}
console.log("chaos: everything held, and nothing is left");
