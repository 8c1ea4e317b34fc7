/** Against a real authority, which refuses every second good nonce. */
import assert from "node:assert/strict";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { enterOwnNamespaces } from "../../../../../test/kit/own-namespaces.ts";
import { Pebble } from "../../../../../test/kit/pebble.ts";
import { systemClock } from "../../base/clock.ts";
import { AccountKey, type Binding } from "./account-key.ts";
import { AcmeSession } from "./session.ts";
import { openTransport } from "./transport.ts";

enterOwnNamespaces();

const binding = { kid: "kid-1", key: Buffer.from("a key of thirty-two bytes, or so.").toString("base64url") };
const { signal } = new AbortController();
let pebble: Pebble;

before(async () => {
  pebble = await Pebble.start({ refusedNonces: 50, binding, blocked: ["bad.example.com"] });
});
after(() => pebble.remove());

async function open(bound: Binding | undefined, keys = "accounts") {
  const transport = await openTransport(pebble.serverRoot, systemClock);
  const key = await AccountKey.open(join(pebble.directory, keys), pebble.url);
  const { url: directory } = pebble;
  const session = new AcmeSession({
    directory,
    transport,
    key,
    email: undefined,
    binding: bound,
    clock: systemClock,
  });
  return { session, close: transport.close };
}

test("an account is bound to the one that the authority knows, and is the same one in the next session", async () => {
  const urls: string[] = [];
  for (let count = 0; count < 2; count++) {
    const { session, close } = await open(binding);
    const { location = "", body } = await session.newOrder("www.example.com", signal);
    assert.equal(JSON.parse(body).status, "pending");
    urls.push(location);
    close();
  }
  assert.equal(new Set(urls).size, 2);
  assert.match(pebble.log, /There are now 1 accounts/);
  assert.doesNotMatch(pebble.log, /There are now 2 accounts/);
});

test("an authority that wants a bound account says so, and where its key goes", async () => {
  const { session, close } = await open(undefined, "others");
  await assert.rejects(session.newOrder("www.example.com", signal), {
    type: "externalAccountRequired",
    hint: /--acme-eab-kid/,
  });
  close();
});

test("a refusal has the authority's words and kind", async () => {
  const { session, close } = await open(binding);
  await assert.rejects(session.newOrder("bad.example.com", signal), {
    code: "acme_failed",
    type: "rejectedIdentifier",
    message: /order a certificate for bad\.example\.com: .*bad\.example\.com/,
  });
  close();
});

test("a server that is not trusted, or not there, is told with what to do", async () => {
  const transport = await openTransport(undefined, systemClock);
  const ask = { method: "GET", url: pebble.url } as const;
  await assert.rejects(transport.send(ask, signal), { code: "unreachable", hint: /--acme-ca/ });
  const nobody = { method: "GET", url: "https://localhost:1/" } as const;
  await assert.rejects(transport.send(nobody, signal), { code: "unreachable", hint: /--acme-directory/ });
  await assert.rejects(
    transport.send({ method: "GET", url: "http://localhost:1/" }, signal),
    /no HTTPS address/,
  );
  transport.close();
});

test("the key of the account is a file for root alone", () => {
  const keys = join(pebble.directory, "accounts");
  const [name = ""] = readdirSync(keys);
  assert.equal(statSync(join(keys, name)).mode & 0o777, 0o600);
});
