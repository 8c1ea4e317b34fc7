import assert from "node:assert/strict";
import { test } from "node:test";
import { fakeVm } from "../../../../test/kit/fake-vm.ts";
import { talk } from "../../../../test/kit/run-uni.ts";
import { statusText } from "./ps.ts";

const stopped = fakeVm({
  name: "job",
  state: "stopped",
  exit_code: 3,
  stopped_at: "2026-01-31T12:05:00.000Z",
  ports: [],
});
const list = { "VM.List": () => [fakeVm(), stopped] };

test("ps prints aligned columns", async () => {
  const { code, stdout, calls } = await talk({ "VM.List": () => [fakeVm()] }, ["ps"]);
  assert.equal(code, 0);
  const [head = "", row = ""] = stdout.split("\n");
  assert.match(head, /^NAME\s+STATE\s+IMAGE\s+ADDRESS\s+PORTS\s+STATUS$/);
  assert.match(row, /^web\s+running\s+hello:latest\s+10\.0\.0\.2\s+0\.0\.0\.0:8080->80\/tcp\s+Up /);
  assert.equal(head.indexOf("STATE"), row.indexOf("running"));
  assert.deepEqual(calls, [{ method: "VM.List", params: { all: false } }]);
});

test("ps -a asks for all, and so does a filter by state", async () => {
  const all = await talk(list, ["ps", "-a"]);
  assert.deepEqual(all.calls[0]?.params, { all: true });
  assert.match(all.stdout, /job\s+stopped.*Exited \(3\)/);
  const filtered = await talk(list, ["ps", "-q", "--filter", "state=stopped"]);
  assert.deepEqual(filtered.calls[0]?.params, { all: true });
  assert.equal(filtered.stdout, "job\n");
});

test("ps -o json prints what the daemon said", async () => {
  const { stdout } = await talk(list, ["ps", "-o", "json"]);
  assert.deepEqual(JSON.parse(stdout), [fakeVm(), stopped]);
});

test("global options stand before the command as well", async () => {
  const { stdout } = await talk(list, ["-o", "json", "ps", "-a"]);
  assert.equal(JSON.parse(stdout).length, 2);
});

test("a hostile name cannot steer the terminal", async () => {
  const name = "evil\u001b[2Jname\nweb running";
  const { stdout } = await talk({ "VM.List": () => [fakeVm({ name })] }, ["ps"]);
  assert.ok(!stdout.includes("\u001b"));
  assert.equal(stdout.split("\n").length, 3);
  assert.match(stdout, /evil\\x1b\[2Jname\\nweb running/);
});

test("ps filters by Docker's words too", async () => {
  for (const filter of ["status=exited", "status=stopped", "state=exited"]) {
    const { stdout, calls } = await talk(list, ["ps", "-q", "-f", filter]);
    assert.deepEqual([stdout, calls[0]?.params], ["job\n", { all: true }], filter);
  }
});

test("ps -l is the newest, whatever its state", async () => {
  const old = fakeVm({ name: "old", created_at: "2025-01-31T12:00:00.000Z" });
  const three = { "VM.List": () => [old, fakeVm(), stopped] };
  const latest = await talk(three, ["ps", "-lq"]);
  assert.deepEqual([latest.stdout, latest.calls[0]?.params], ["web\n", { all: true }]);
  assert.equal((await talk(three, ["ps", "-qn", "2"])).stdout, "web\njob\n");
  assert.equal((await talk(three, ["ps", "-n", "0"])).code, 64);
});

test("ps --format prints members, by Docker's names too", async () => {
  const { stdout } = await talk(list, [
    "ps",
    "-a",
    "--format",
    "{{.Names}}\\t{{.status}} {{.Ports}} {{.id}}",
  ]);
  assert.match(stdout, /^web\tUp .* 0\.0\.0\.0:8080->80\/tcp [^ ]+\njob\tExited \(3\) /);
  assert.equal((await talk(list, ["ps", "--format", "{{range .}}"])).code, 64);
});

test("an unknown filter is refused with the ones that exist", async () => {
  const { code, stderr } = await talk(list, ["ps", "--filter", "colour=red"]);
  assert.equal(code, 64);
  assert.match(stderr, /^Error: .*colour=red.*\nHint: Keys: state, status, name, image/);
});

test("a state tells what became of an instance", () => {
  const now = Date.parse("2026-01-31T12:10:01.000Z");
  assert.equal(statusText(fakeVm(), now), "Up 10 minutes");
  assert.equal(statusText(stopped, now), "Exited (3) 5 minutes ago");
  const again = { ...stopped, restart_at: "2026-01-31T12:10:06.000Z" };
  assert.equal(statusText(again, now), "Exited (3), again in 5 seconds");
  assert.equal(statusText(fakeVm({ state: "starting" }), now), "starting");
  assert.equal(statusText(fakeVm({ state: "stopped", started_at: undefined }), now), "Created");
});
