import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { parseWords } from "./command-words.ts";
import { parseCopySide } from "./copy-path.ts";
import { parseCount } from "./count.ts";
import { readEnvironment } from "./environment.ts";
import { parseMemory } from "./memory.ts";
import { parsePortMap } from "./port-map.ts";
import { parseRestart } from "./restart.ts";
import { readSecrets } from "./secrets.ts";
import { parseSeconds, parseSince } from "./time-span.ts";

test("memory is megabytes unless it says otherwise", () => {
  const sizes = {
    512: 512,
    "512m": 512,
    "512MB": 512,
    "512MiB": 512,
    "1G": 1024,
    "1.5g": 1536,
    " 2G ": 2048,
  };
  for (const [text, size] of Object.entries(sizes)) assert.equal(parseMemory(text), size, text);
  for (const text of ["", "0", "-1", "1.5", "1K", "many", "1e3", "1 G M"])
    assert.throws(() => parseMemory(text), text);
});

test("port maps", () => {
  assert.deepEqual(parsePortMap("80"), { host_port: 80, guest_port: 80, protocol: "tcp" });
  assert.deepEqual(parsePortMap("8080:80/udp"), { host_port: 8080, guest_port: 80, protocol: "udp" });
  assert.equal(parsePortMap("127.0.0.1:8080:80").host_address, "127.0.0.1");
  for (const text of ["", "0:1", "1:65536", "x:1", "1:1/sctp", "1:2:3:4", "host:1:2", "1:1/tcp/udp"]) {
    assert.throws(() => parsePortMap(text), text);
  }
});

test("environment: the command line wins over files, and a name alone hands the own value on", () => {
  const directory = mkdtempSync(join(tmpdir(), "uni-env-"));
  try {
    const file = join(directory, "env");
    writeFileSync(file, "\ufeff# c\r\n  A=file\r\nB= spaced \nOWN\nMISSING\n");
    const env = readEnvironment(["A=option", "C=1=2"], [file], { OWN: "mine" });
    assert.deepEqual(env, { A: "option", B: " spaced ", OWN: "mine", C: "1=2" });
    assert.throws(() => readEnvironment(["=x"], undefined, {}), { code: "invalid_value" });
    assert.throws(() => readEnvironment([], [join(directory, "no")], {}), { code: "not_found" });
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("restart policies", () => {
  assert.deepEqual(parseRestart("no"), { policy: "never" });
  assert.deepEqual(parseRestart("unless-stopped"), { policy: "always" });
  assert.deepEqual(parseRestart("on-failure:3"), { policy: "on-failure", max_retries: 3 });
  for (const text of ["", "on-failure:", "on-failure:-1", "never:1", "unless-stopped:2"]) {
    assert.throws(() => parseRestart(text), text);
  }
});

test("times", () => {
  assert.equal(parseSeconds("90"), 90);
  assert.equal(parseSeconds("2h30m"), 9000);
  assert.throws(() => parseSeconds("soon"));
  assert.equal(parseSince("10m", 1_000_000), 400_000);
  assert.equal(parseSince("1700000000", 0), 1_700_000_000_000);
  assert.equal(parseSince("2026-01-31T12:00:00Z", 0), Date.UTC(2026, 0, 31, 12));
  assert.throws(() => parseSince("yesterday", 0));
});

test("sides of a copy", () => {
  assert.deepEqual(parseCopySide("web:/etc"), { kind: "guest", name: "web", path: "/etc" });
  assert.deepEqual(parseCopySide("web:etc"), { kind: "guest", name: "web", path: "/etc" });
  assert.deepEqual(parseCopySide("web:/a:b"), { kind: "guest", name: "web", path: "/a:b" });
  for (const path of ["./a:b", "/a:b", "a", "../x", "dir/a:b"]) {
    assert.deepEqual(parseCopySide(path), { kind: "local", path });
  }
  assert.deepEqual(parseCopySide("-"), { kind: "stream" });
  assert.throws(() => parseCopySide("web:"), { code: "invalid_value" });
});

test("words, counts and secrets", () => {
  assert.deepEqual(parseWords("a  b", "--cmd"), ["a", "b"]);
  assert.deepEqual(parseWords('["a b", ""]', "--cmd"), ["a b", ""]);
  assert.throws(() => parseWords("[1]", "--cmd"), { code: "invalid_value" });
  assert.throws(() => parseWords("[a", "--cmd"), { code: "invalid_value" });
  assert.equal(parseCount(1, 9)("9"), 9);
  for (const text of ["0", "10", "1.5", "", "x"]) assert.throws(() => parseCount(1, 9)(text), text);
  assert.deepEqual(readSecrets(["id=a,env=V", "id=W"], { V: "v", W: "w" }), { a: "dg==", W: "dw==" });
  for (const text of ["src=x", "id=a/b,env=V", "id=a,env=NOT", "id=a,src=/nonexistent"]) {
    assert.throws(() => readSecrets([text], {}), text);
  }
});
