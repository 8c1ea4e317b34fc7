import assert from "node:assert/strict";
import { test } from "node:test";
import { recordOf } from "./test-records.ts";
import { viewInstance } from "./view.ts";

const context = {
  now: 100_000,
  gateway: "169.254.1.1",
  namesFor: (address: string) => ({ mac: `mac of ${address}`, tap: `tap of ${address}` }),
};

test("an instance that never ran shows no times, reasons or codes", () => {
  const shown = JSON.parse(JSON.stringify(viewInstance(recordOf(1, { name: "web" }), context)));
  for (const absent of [
    "started_at",
    "stopped_at",
    "boot_time_us",
    "stop_reason",
    "exit_code",
    "restart",
    "updates",
  ]) {
    assert.equal(absent in shown, false, absent);
  }
  assert.deepEqual(
    [shown.name, shown.state, shown.uptime_ms, shown.start_count, shown.private_fqdn, shown.gateway],
    ["web", "stopped", 0, 0, "web.internal", "169.254.1.1"],
  );
  assert.deepEqual(shown.network_interfaces[0], {
    uuid: shown.uuid,
    name: "web-eth0",
    private_ip: "10.0.0.1",
    mac: "mac of 10.0.0.1",
    tap_name: "tap of 10.0.0.1",
  });
});

test("the uptime of a running instance goes on, that of a stopped one stands still", () => {
  const status = { state: "running", startedAt: 90_000, uptimeMs: 5_000, stoppedAt: 80_000 } as const;
  const running = viewInstance(recordOf(1, { status }), context);
  assert.deepEqual([running.uptime_ms, running.stopped_at], [15_000, undefined]);
  const stopped = viewInstance(recordOf(1, { status: { ...status, state: "stopped" } }), context);
  assert.deepEqual([stopped.uptime_ms, stopped.stopped_at], [5_000, new Date(80_000).toISOString()]);
  const backwards = viewInstance(recordOf(1, { status: { ...status, startedAt: 200_000 } }), context);
  assert.equal(backwards.uptime_ms, 0, "a clock that was set back");
});

test("the image is shown with its digest, and as it was asked for", () => {
  const pinned = recordOf(1, { spec: { imageReference: `web:1@sha256:${"0".repeat(64)}` } });
  const shown = viewInstance(pinned, context);
  assert.equal(shown.image, `web:1@sha256:${"0".repeat(64)}`);
  assert.equal(shown.image_ref, pinned.spec.imageReference);
});

test("restart, updates, ports and codes are shown, zero too", () => {
  const shown = viewInstance(
    recordOf(1, {
      request: { ports: [{ host_port: 8080, guest_port: 80 }], grace_period_s: 7 },
      status: {
        exitCode: 0,
        stopCode: 0,
        stopReason: 0,
        restart: { attempt: 2, nextAt: 5_000 },
        updates: [{ prop: "env", op: "set", value: {}, status: "failed", error: "no" }],
      },
    }),
    context,
  );
  assert.deepEqual([shown.exit_code, shown.stop_code, shown.stop_reason, shown.grace_period_s], [0, 0, 0, 7]);
  assert.deepEqual(shown.restart, { attempt: 2, next_at: new Date(5_000).toISOString() });
  assert.deepEqual(shown.ports, [
    { host_address: "0.0.0.0", host_port: 8080, guest_port: 80, protocol: "tcp" },
  ]);
  assert.deepEqual(shown.updates, [{ prop: "env", op: "set", value: {}, status: "failed", error: "no" }]);
});
