import assert from "node:assert/strict";
import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { kvmAccess } from "./kvm-device.ts";

const directory = mkdtempSync(join(tmpdir(), "kvm-"));
after(() => rmSync(directory, { recursive: true }));
const device = join(directory, "kvm");

test("a device is for all, for a group, for root alone, or not there", () => {
  assert.deepEqual(kvmAccess(device), { for: "none" });
  writeFileSync(device, "");
  const cases = [
    { mode: 0o666, gid: 0, access: { for: "all" } },
    { mode: 0o660, gid: 104, access: { for: "group", gid: 104 } },
    { mode: 0o640, gid: 104, access: { for: "root" } },
    { mode: 0o660, gid: 0, access: { for: "root" } },
    { mode: 0o600, gid: 104, access: { for: "root" } },
  ];
  for (const { mode, gid, access } of cases) {
    chownSync(device, 0, gid);
    chmodSync(device, mode);
    assert.deepEqual(kvmAccess(device), access, `${mode.toString(8)} of group ${gid}`);
  }
});
