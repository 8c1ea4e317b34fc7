/** HAProxy through reloads, its own death and that of the daemon. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, test } from "node:test";
import { connect } from "node:tls";
import { makeRoot, writeLeaf } from "../../../../test/kit/certificates.ts";
import { bind, edgeForFile } from "../../../../test/kit/edge.ts";
import { backendForFile } from "../../../../test/kit/edge-backends.ts";
import { until } from "../../../../test/kit/until.ts";
import { findProcesses } from "../host/find-process.ts";
import { signalProcess } from "../host/process-identity.ts";

const one = "127.1.0.1";
const two = "127.1.0.2";

const { kit, ...opened } = await edgeForFile();
let { edge } = opened;
const backends = [await backendForFile("one", one), await backendForFile("two", two)];

after(() => assert.deepEqual(processes(), []));

const processes = () => findProcesses(`${kit.directory}/h/master,mode,600`);
/** A reload begins a worker; one of an earlier reload may end at any time. */
const begunSince = (before: ReturnType<typeof processes>) =>
  processes().filter((each) => !before.some(({ pid }) => pid === each.pid));
const tlsOptions = { host: bind, port: 443, servername: "a.example.com", rejectUnauthorized: false };
/** Undefined when no connection is made. */
function shownCertificate(): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect(tlsOptions, () => {
      resolve(socket.getPeerCertificate().fingerprint256);
      socket.destroy();
    });
    socket.on("error", () => {});
    socket.once("close", () => resolve(undefined));
  });
}
const nameIn = (body: string): string => JSON.parse(body).name;
async function ask(): Promise<string> {
  const { status, body } = await kit.curl("https://a.example.com/");
  assert.equal(status, 200, body);
  return nameIn(body);
}

test("reloads and changes of members under constant requests fail none of them", async () => {
  await edge.apply(kit.planOf(kit.group("a", { [one]: "awake" })));
  let asked = 0;
  let done = false;
  const failures: unknown[] = [];
  const requests = (async () => {
    for (; !done; asked++) await ask().catch((error) => failures.push(error));
  })();
  const others = ["b", "c", "d"].map((name) => kit.group(name, {}));
  for (const [index] of others.entries()) {
    const mine = kit.group("a", index % 2 === 0 ? { [two]: "awake" } : { [one]: "awake" });
    await edge.apply(kit.planOf(mine, ...others.slice(0, index + 1)));
    await edge.apply(kit.planOf(kit.group("a", { [one]: "awake" }), ...others.slice(0, index + 1)));
    const before = asked;
    await until("requests go on", () => asked > before);
  }
  done = true;
  await requests;
  assert.deepEqual(failures, []);
  assert.ok(asked > others.length);
});

test("a change of members is no reload", async () => {
  await edge.apply(kit.planOf(kit.group("a", { [one]: "awake" })));
  const before = processes();
  await edge.apply(kit.planOf(kit.group("a", { [two]: "awake" })));
  assert.equal(await ask(), "two");
  assert.deepEqual(begunSince(before), []);
});

test("renewed certificates and other limits are no reload: open connections stay, new ones see the change", async () => {
  const certificate = join(kit.directory, "renewed.pem");
  const root = await makeRoot();
  await writeLeaf(root, ["a.example.com"], certificate);
  const group = (hardLimit: number) =>
    kit.group("a", { [one]: "awake" }, { domains: [{ fqdn: "a.example.com", certificate }], hardLimit });
  await edge.apply(kit.planOf(group(100)));
  const before = processes();
  const open = connect(tlsOptions);
  open.write("GET /held HTTP/1.1\r\nHost: a.example.com\r\n\r\n");
  await until("the request is with the member", () => backends[0]?.isHolding());
  const shown = open.getPeerCertificate().fingerprint256;
  await writeLeaf(root, ["a.example.com"], certificate);
  await edge.apply(kit.planOf(group(1)));
  const renewed = await shownCertificate();
  assert.notEqual(renewed, shown);
  assert.equal((await kit.curl("https://a.example.com/", "-k")).status, 503);
  let text = "";
  open.on("data", (chunk) => {
    text += chunk;
  });
  backends[0]?.answerHeld();
  await until("the open connection has its answer", () => text.includes("200 OK"));
  open.destroy();
  assert.deepEqual(begunSince(before), []);
  // The files have them too: who starts it again, it is with these.
  for (const each of before) signalProcess(each, "SIGKILL");
  const again = await until("it answers again", shownCertificate);
  assert.equal(again, renewed);
});

test("killed, it comes back with the members that it had last", async () => {
  await edge.apply(kit.planOf(kit.group("a", { [one]: "awake" })));
  await edge.apply(kit.planOf(kit.group("a", { [two]: "awake" })));
  const before = processes();
  for (const each of before) signalProcess(each, "SIGKILL");
  await until("it answers again", async () => (await ask().catch(() => undefined)) === "two");
  assert.ok(processes().every(({ pid }) => !before.some((each) => each.pid === pid)));
});

test("it serves while no daemon is there, and the next one takes it over without a reload", async () => {
  await edge.apply(kit.planOf(kit.group("a", { [one]: "awake" })));
  const before = processes();
  await edge.release();
  assert.equal(await ask(), "one");
  edge = await kit.open();
  await edge.apply(kit.planOf(kit.group("a", { [two]: "awake" })));
  assert.equal(await ask(), "two");
  assert.deepEqual(begunSince(before), []);
});

test("without a group that has a port, there is no process", async () => {
  await edge.apply(kit.planOf(kit.group("a", { [one]: "awake" })));
  await edge.apply(kit.planOf(kit.group("a", { [one]: "awake" }, { ports: [] })));
  assert.deepEqual(processes(), []);
});
