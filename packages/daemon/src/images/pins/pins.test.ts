import assert from "node:assert/strict";
import { test } from "node:test";
import { UniError } from "@uni/contract/errors";
import { asAccountId, type Digest } from "@uni/contract/ids";
import { until } from "../../../../../test/kit/until.ts";
import { silentLog } from "../../base/log.ts";
import { ManualClock } from "../../base/manual-clock.ts";
import { ensureAccount } from "../../store/accounts.ts";
import { type Database, openDatabase } from "../../store/open.ts";
import type { Image, PullRequest } from "../port.ts";
import { longestPullMs, Pins } from "./pins.ts";

const account = asAccountId("00000000-0000-4000-8000-000000000001");
const stranger = asAccountId("00000000-0000-4000-8000-000000000002");
const digest = `sha256:${"1".repeat(64)}` as Digest;
const other = `sha256:${"2".repeat(64)}` as Digest;
const day = 86_400_000;

interface World {
  readonly db: Database;
  readonly clock: ManualClock;
  readonly asked: { readonly url: string; readonly request: PullRequest; readonly signal: AbortSignal }[];
  /** What the next pulls do. */
  answer: (signal: AbortSignal) => Promise<Digest>;
  open(): Promise<Pins>;
}

async function withWorld(body: (world: World) => Promise<void>): Promise<void> {
  const db = await openDatabase(":memory:");
  const clock = new ManualClock();
  try {
    for (const [id, name] of [
      [account, "a"],
      [stranger, "b"],
    ] as const)
      await ensureAccount(db, { id, name }, 1);
    const world: World = {
      db,
      clock,
      asked: [],
      answer: async () => digest,
      open: () =>
        Pins.open({
          db,
          clock,
          log: silentLog,
          async pull(_account, url, request, signal) {
            world.asked.push({ url, request, signal });
            return { digest: await world.answer(signal) } as Image;
          },
        }),
    };
    await body(world);
  } finally {
    await db.destroy();
  }
}

const wanted = (url = "web:1", idleMs = 0) => ({
  ...{ account, url, idleMs },
  pull: { policy: "if_not_present" } as const,
});
const forever = Number.POSITIVE_INFINITY;

/** A pull that ends when it is told to, or when it is given up. */
function held() {
  const { promise, resolve, reject } = Promise.withResolvers<Digest>();
  const answer = (signal: AbortSignal): Promise<Digest> => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    return promise;
  };
  return { answer, resolve, reject };
}

test("a pin is ready when its image is here, is one for each account and url, and is kept by the next daemon", () =>
  withWorld(async (world) => {
    const pins = await world.open();
    const first = await pins.pin(wanted(), forever);
    assert.deepEqual([first.digest, pins.holding(digest).length], [digest, 1]);
    world.answer = async () => other;
    const again = await pins.pin(wanted(), forever);
    assert.deepEqual([again.uuid, again.digest], [first.uuid, other]);
    assert.deepEqual([pins.holding(digest), pins.holding(other).length], [[], 1]);
    await world.clock.advance(1);
    await pins.pin({ ...wanted(), account: stranger }, forever);
    assert.equal(pins.all().length, 2);
    assert.deepEqual((await world.open()).all(), pins.all());
  }));

test("a wait that ends before the pull says pending, and the pull goes on", () =>
  withWorld(async (world) => {
    const pins = await world.open();
    const { answer, resolve } = held();
    world.answer = answer;
    const waiting = pins.pin(wanted(), 5000);
    await until("the pull began", () => world.asked.length === 1);
    await world.clock.advance(5000);
    assert.equal((await waiting).digest, null);
    const more = pins.pin(wanted(), forever);
    resolve(digest);
    assert.equal((await more).digest, digest);
    assert.equal(world.asked.length, 1);
  }));

test("a pull that fails is the pin's failure, and leaves no pin; one that was ready stays", () =>
  withWorld(async (world) => {
    const pins = await world.open();
    world.answer = () => Promise.reject(new UniError("image_not_found", "there is none"));
    await assert.rejects(pins.pin(wanted(), forever), { code: "image_not_found" });
    assert.deepEqual(pins.all(), []);
    world.answer = async () => digest;
    await pins.pin(wanted(), forever);
    world.answer = () => Promise.reject(new UniError("unreachable", "away"));
    await assert.rejects(pins.pin(wanted(), forever), { code: "unreachable" });
    assert.equal(pins.holding(digest).length, 1);
  }));

test("a pull ends when pulls may take no longer", () =>
  withWorld(async (world) => {
    const pins = await world.open();
    world.answer = held().answer;
    const waiting = pins.pin(wanted(), 5000);
    await until("the pull began", () => world.asked.length === 1);
    await world.clock.advance(5000);
    await waiting;
    const joined = assert.rejects(pins.pin(wanted(), forever), { code: "timed_out" });
    await world.clock.advance(longestPullMs);
    await joined;
    assert.deepEqual([pins.all(), (await world.open()).all()], [[], []]);
  }));

test("what a daemon that ended left pending, the next one brings", () =>
  withWorld(async (world) => {
    const pins = await world.open();
    world.answer = held().answer;
    const waiting = assert.rejects(pins.pin(wanted(), forever));
    await until("the pull began", () => world.asked.length === 1);
    await pins.close();
    await waiting;
    const next = await world.open();
    assert.deepEqual(
      next.all().map((pin) => pin.digest),
      [null],
    );
    const { answer, resolve } = held();
    world.answer = answer;
    next.resume();
    const joined = next.pin(wanted(), forever);
    resolve(digest);
    assert.equal((await joined).digest, digest);
  }));

test("only its account lets a pin go, and that ends its pull", () =>
  withWorld(async (world) => {
    const pins = await world.open();
    world.answer = held().answer;
    const waiting = assert.rejects(pins.pin(wanted(), forever), { message: /let go/ });
    await until("the pull began", () => world.asked.length === 1);
    const [pin] = pins.all();
    assert.ok(pin !== undefined);
    await assert.rejects(pins.unpin(stranger, pin.uuid), { code: "not_found" });
    await pins.unpin(account, pin.uuid);
    await waiting;
    assert.deepEqual([pins.all(), (await world.open()).all()], [[], []]);
    await assert.rejects(pins.unpin(account, pin.uuid), { code: "not_found" });
  }));

test("a pin with a time to be unused is given up after it, and a use begins it anew", () =>
  withWorld(async (world) => {
    const pins = await world.open();
    await pins.pin(wanted("web:1", day), forever);
    await pins.pin(wanted("db:1"), forever);
    await world.clock.advance(day / 2);
    await pins.expire(() => true);
    await world.clock.advance(day - 1);
    await pins.expire(() => false);
    assert.equal(pins.all().length, 2);
    await world.clock.advance(1);
    await pins.expire(() => false);
    assert.deepEqual(
      pins.all().map(({ url }) => url),
      ["db:1"],
    );
  }));
