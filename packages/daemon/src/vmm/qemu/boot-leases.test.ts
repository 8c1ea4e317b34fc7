import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { dropLease, hasLeases, takeLease } from "./boot-leases.ts";

let directory: string;
let boot: string;
let holder: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "leases-"));
  boot = join(directory, "boot");
  holder = join(directory, "holder");
  mkdirSync(boot);
  writeFileSync(holder, "");
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test("a lease holds as long as its holder is there, and is then removed", () => {
  assert.equal(hasLeases(boot), false);
  takeLease(boot, holder);
  takeLease(boot, holder);
  takeLease(boot, join(directory, "nobody"));
  assert.equal(hasLeases(boot), true);
  assert.equal(readdirSync(join(boot, "leases")).length, 1);
  rmSync(holder);
  assert.equal(hasLeases(boot), false);
  assert.deepEqual(readdirSync(join(boot, "leases")), []);
});

test("a lease that is given back leaves those of others", () => {
  const other = join(directory, "boot");
  takeLease(boot, holder);
  takeLease(boot, other);
  dropLease(boot, holder);
  assert.equal(hasLeases(boot), true);
  dropLease(boot, other);
  dropLease(boot, other);
  assert.equal(hasLeases(boot), false);
});

test("there is no lease on what is gone, and taking one does not make it", () => {
  rmSync(boot, { recursive: true });
  assert.throws(() => takeLease(boot, holder), /ENOENT/);
  assert.equal(existsSync(boot), false);
});
