/** Validations of names, answered by a real HAProxy while it serves as usual. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { connect, type PeerCertificate } from "node:tls";
import { makeRoot, writeLeaf } from "../../../../test/kit/certificates.ts";
import { bind, edgeForFile } from "../../../../test/kit/edge.ts";
import { backendForFile } from "../../../../test/kit/edge-backends.ts";
import type { EdgeChallenge } from "./port.ts";

const address = "127.1.0.1";
const fqdn = "www.example.com";
const url = (token: string, host = fqdn) => `http://${host}/.well-known/acme-challenge/${token}`;
const http = (token: string): EdgeChallenge => ({ kind: "http", fqdn, token, answer: `${token}.print` });

const { kit, ...opened } = await edgeForFile();
let { edge } = opened;
await backendForFile(address, address);

const group = (ports = kit.group("a", {}).ports) => kit.group("a", { [address]: "awake" }, { ports });
const plan = (challenges: readonly EdgeChallenge[], ports = group().ports) => ({
  ...kit.planOf(group(ports)),
  challenges,
});
const master = () => readFileSync(join(kit.directory, "h", "haproxy.json"), "utf8");

test("answers come and go at run time, for their own name, and the redirect stays", async () => {
  await edge.apply(plan([http("early")]));
  const file = join(kit.directory, "h", "current", "haproxy.cfg");
  const configuration = readFileSync(file, "utf8");
  await edge.apply(plan([http("one"), http("two")]));
  const { status, type, body } = await kit.curl(url("one"));
  assert.deepEqual([status, type, body], [200, "text/plain", "one.print"]);
  assert.equal((await kit.curl(url("two"))).body, "two.print");
  assert.equal((await kit.curl(url("early"))).status, 404);
  assert.equal((await kit.curl(url("one", "a.example.com"))).status, 308);
  await edge.apply(plan([http("two")]));
  assert.equal((await kit.curl(url("one"))).status, 404);
  assert.equal(readFileSync(file, "utf8"), configuration);
  // The next daemon does not know what HAProxy was told last.
  await edge.release();
  edge = await kit.open();
  await edge.apply(plan([]));
  assert.equal((await kit.curl(url("two"))).status, 404);
});

test("port 80 answers though no group publishes it, and only meanwhile", async () => {
  const ports = [{ kind: "http", port: 443, destinationPort: 8080, tls: true, proxy: false }] as const;
  await edge.apply(plan([http("one")], ports));
  assert.equal((await kit.curl(url("one"))).body, "one.print");
  assert.equal((await kit.curl(`http://${fqdn}/`)).status, 404);
  const process = master();
  await edge.apply(plan([], ports));
  await assert.rejects(kit.curl(url("one")), /Could not connect|Failed to connect|refused/);
  assert.equal(master(), process);
});

async function shown(protocol: string, servername: string): Promise<PeerCertificate & { protocol: unknown }> {
  const socket = connect({
    host: bind,
    port: 443,
    servername,
    ALPNProtocols: [protocol],
    rejectUnauthorized: false,
  });
  try {
    await once(socket, "secureConnect");
    return { ...socket.getPeerCertificate(), protocol: socket.alpnProtocol };
  } finally {
    socket.destroy();
  }
}

test("the challenge's certificate is for acme-tls/1 alone; others are served as usual, and stay connected", async () => {
  await edge.apply(plan([]));
  const open = connect({
    host: bind,
    port: 443,
    servername: "a.example.com",
    ca: readFileSync(kit.rootFile),
  });
  await once(open, "secureConnect");
  const certificate = join(kit.directory, "challenge.pem");
  await writeLeaf(await makeRoot(), [fqdn], certificate);
  await edge.apply(plan([{ kind: "tls", fqdn, certificate }]));
  const challenge = await shown("acme-tls/1", fqdn);
  assert.deepEqual([challenge.subjectaltname, challenge.protocol], [`DNS:${fqdn}`, "acme-tls/1"]);
  assert.equal((await shown("http/1.1", fqdn)).subjectaltname, "DNS:*.example.com");
  const answer = await kit.curl("https://a.example.com/", "--http2");
  assert.equal(answer.version, "2");
  assert.equal(JSON.parse(answer.body).headers["x-forwarded-for"], "127.0.0.1");
  open.write("GET / HTTP/1.1\r\nhost: a.example.com\r\nconnection: close\r\n\r\n");
  let text = "";
  for await (const chunk of open) text += String(chunk);
  assert.match(text, /^HTTP\/1.1 200/);
  await edge.apply(plan([]));
  assert.equal((await kit.curl("https://a.example.com/")).status, 200);
  const usual = await shown("acme-tls/1", fqdn);
  assert.deepEqual([usual.subjectaltname, usual.protocol], ["DNS:*.example.com", false]);
});

test("port 443 answers though no group publishes it, to a validation only", async () => {
  const certificate = join(kit.directory, "challenge.pem");
  const ports = [{ kind: "redirect", port: 80, toPort: 443 }] as const;
  await edge.apply(plan([{ kind: "tls", fqdn, certificate }], ports));
  assert.equal((await shown("acme-tls/1", fqdn)).subjectaltname, `DNS:${fqdn}`);
  await assert.rejects(shown("http/1.1", fqdn));
});

test("what is no token reaches no configuration", async () => {
  const wrong = { kind: "http", fqdn, token: "a b", answer: "x" } as const;
  await assert.rejects(edge.apply(plan([wrong])), { code: "invalid_value" });
  const answer = { kind: "http", fqdn, token: "a", answer: 'x"\n' } as const;
  await assert.rejects(edge.apply(plan([answer])), { code: "invalid_value" });
});
