/** The README's first command, twice, and its clean-up. */
import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { leftovers } from "../kit/leftovers.ts";
import { enterOwnNamespaces } from "../kit/own-namespaces.ts";
import { runProgram } from "../kit/programs.ts";
import { until } from "../kit/until.ts";

enterOwnNamespaces();

const parent = mkdtempSync(join(tmpdir(), "demo-"));
// Machines run as unprivileged users and reach their files through it.
chmodSync(parent, 0o755);
after(() => rmSync(parent, { recursive: true, force: true }));
const directory = join(parent, "d");
const demo = (...args: string[]) =>
  runProgram(join(import.meta.dirname, "../../scripts/demo"), args, {
    env: { UNI_DEMO_DIR: directory },
    deadlineMs: 300_000,
  });

test("the demo works, works again, and cleans up after itself", async () => {
  for (const round of ["first", "second"]) {
    const { code, stdout, stderr } = await demo();
    assert.equal(code, 0, `${round} time: ${stdout}${stderr}`);
    assert.match(stdout, /It works/);
    assert.match(stdout, /in \d+ ms under (kvm|tcg)/);
    // Nothing was built anew, so nothing is replaced.
    assert.equal(/It runs already\./.test(stdout), round === "second", stdout);
  }
  const cleaned = await demo("--clean");
  assert.equal(cleaned.code, 0, cleaned.stdout + cleaned.stderr);
  assert.ok(!existsSync(directory));
  await until("nothing is left", () => {
    assert.deepEqual(leftovers(), []);
    return true;
  });
  assert.equal((await demo("--clean")).code, 0, "cleaning twice is fine");
});
