import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { asInstanceId } from "@uni/contract/ids";
import type { LogLine } from "@uni/contract/rpc";
import { systemClock } from "../base/clock.ts";
import { LogStore } from "../instances/log-store.ts";
import { OutputFeed } from "../instances/output-feed.ts";
import type { Registry } from "../instances/registry.ts";
import { type LogSource, logLines } from "./log-lines.ts";

const id = asInstanceId("00000000-0000-4000-8000-000000000001");
const never = new AbortController().signal;
const bytes = (text: string) => Buffer.from(text, "latin1");

async function withLog(body: (source: LogSource, end: () => void) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "log-lines-"));
  const store = await LogStore.open(directory);
  const feed = new OutputFeed(systemClock);
  let state = "running";
  const registry = { find: () => ({ status: { state, restart: null } }) } as unknown as Registry;
  try {
    await body({ id, store, feed, registry }, () => {
      state = "stopped";
      feed.nudge(id);
    });
  } finally {
    await store.close();
    await rm(directory, { recursive: true });
  }
}

async function all(lines: AsyncIterable<LogLine>): Promise<LogLine[]> {
  const found: LogLine[] = [];
  for await (const line of lines) found.push(line);
  return found;
}

/** What a reader that puts the bytes together again gets. */
function joined(lines: readonly LogLine[]): Buffer {
  return Buffer.concat(
    lines.flatMap(({ line, base64, unended }) => [
      base64 === undefined ? Buffer.from(line) : Buffer.from(base64, "base64"),
      Buffer.from(unended === true ? "" : "\n"),
    ]),
  );
}

test("lines that are no text, very long or without an end can be put together again byte for byte", async () => {
  await withLog(async (source) => {
    const written = Buffer.concat([
      ...[bytes("\x00\xff\xfe\n"), Buffer.from("ü€\n\r\n"), Buffer.alloc(70_000, "x"), bytes("\nlast")],
    ]);
    for (let at = 0; at < written.length; at += 4_099) {
      await source.store.append("stdout", 0, written.subarray(at, at + 4_099));
    }
    const lines = await all(logLines(source, { follow: false, signal: never }));
    assert.deepEqual(joined(lines), written);
    assert.deepEqual(lines[0]?.base64, Buffer.from([0, 0xff, 0xfe]).toString("base64"));
    assert.equal(lines[1]?.base64, undefined, "text is sent as text");
    assert.deepEqual(
      lines.map(({ unended }) => unended ?? false),
      [false, false, false, true, false, true],
    );
  });
});

test("a follower that asks for it sees a line before it ends, others do not", async () => {
  await withLog(async (source, end) => {
    await source.store.append("stdout", 0, bytes("Password: "));
    const partial = logLines(source, { follow: true, partial: true, signal: never });
    assert.equal((await partial.next()).value?.line, "Password: ");
    const whole = logLines(source, { follow: true, signal: never });
    const first = whole.next();
    await source.store.append("stdout", 0, bytes("ok\nrest"));
    end();
    assert.equal((await first).value?.line, "Password: ok");
    const others = await all(partial);
    assert.deepEqual(
      others.map(({ line, unended }) => [line, unended ?? false]),
      [
        ["ok", false],
        ["rest", true],
      ],
    );
    assert.equal((await whole.next()).value?.line, "rest");
  });
});
