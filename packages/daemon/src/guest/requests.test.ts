/** However fast a guest asks, the host hears little of it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "../base/manual-clock.ts";
import type { GuestEvent } from "./port.ts";
import { GuestRequests, requestsApartMs, requestsAtOnce } from "./requests.ts";
import { ProtocolError } from "./wire.ts";

function newRequests() {
  const clock = new ManualClock();
  const heard: GuestEvent[] = [];
  const requests = new GuestRequests(clock, (event) => heard.push(event));
  return { clock, heard, requests };
}

test("a request waits for somebody who listens, and is handed on once", () => {
  const { heard, requests } = newRequests();
  requests.take("fork-requested", 1, true);
  assert.deepEqual(heard, []);
  requests.start();
  requests.take("fork-requested", 1, true);
  assert.deepEqual(heard, [{ kind: "fork-requested", request: 1 }]);
});

test("the next fork waits for the answer; an agent that does not wait is none", () => {
  const { heard, requests } = newRequests();
  requests.start();
  requests.take("fork-requested", 1, true);
  assert.throws(() => requests.take("fork-requested", 2, true), ProtocolError);
  requests.answered("fork-requested", 1);
  requests.take("fork-requested", 2, true);
  assert.deepEqual(heard.at(-1), { kind: "fork-requested", request: 2 });
});

test("of forks without end ten are heard at once and then one each second, and a pause gives ten again", async () => {
  const { clock, heard, requests } = newRequests();
  requests.start();
  const flood = () => {
    do requests.answered("fork-requested", heard.length);
    while (asks());
  };
  const asks = () => {
    const before = heard.length;
    requests.take("fork-requested", before + 1, true);
    return heard.length > before;
  };
  flood();
  assert.equal(heard.length, requestsAtOnce);
  for (let second = 1; second <= 5; second++) {
    await clock.advance(requestsApartMs - 1);
    flood();
    assert.equal(heard.length, requestsAtOnce + second - 1);
    await clock.advance(1);
    flood();
    assert.equal(heard.length, requestsAtOnce + second);
  }
  const before = heard.length;
  await clock.advance(requestsAtOnce * requestsApartMs);
  flood();
  assert.equal(heard.length - before, requestsAtOnce);
});

test("programs that ask for a template and give up in a loop are not heard more often", async () => {
  const { clock, heard, requests } = newRequests();
  requests.start();
  for (let request = 1; request <= 5000; request++) {
    requests.take("template-requested", request, true);
    requests.take("template-requested", request, false);
    if (request % 500 === 0) await clock.advance(requestsApartMs / 10);
  }
  const asked = heard.filter(({ kind }) => kind === "template-requested");
  assert.ok(asked.length <= requestsAtOnce + 1, `${asked.length} requests`);
  assert.deepEqual(heard.at(-1)?.kind, "template-withdrawn");
});

test("a newer request for a template withdraws the one that is open", async () => {
  const { clock, heard, requests } = newRequests();
  requests.start();
  requests.take("template-requested", 1, true);
  requests.take("template-requested", 4, true);
  await clock.advance(requestsApartMs);
  assert.deepEqual(heard, [
    { kind: "template-requested", request: 1 },
    { kind: "template-withdrawn", request: 1 },
    { kind: "template-requested", request: 4 },
  ]);
  requests.answered("template-requested", 1);
  requests.answered("template-requested", 4);
});

test("nothing is handed on after the end", async () => {
  const { clock, heard, requests } = newRequests();
  requests.start();
  requests.take("fork-requested", 1, true);
  requests.answered("fork-requested", 1);
  requests.close();
  requests.take("fork-requested", 2, true);
  await clock.advance(1000);
  assert.equal(heard.length, 1);
});
