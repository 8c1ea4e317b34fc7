import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { chmod, mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { connect, createServer, type Server, type TLSSocket } from "node:tls";
import { systemClock } from "../base/clock.ts";
import { LocalCa } from "./local-ca.ts";
import { trustRoot } from "./system-trust.ts";
import { makePlace } from "./test-groups.ts";

const dayMs = 86_400_000;

test("the root is made once, with its key for root alone", async (context) => {
  const { directory, clock } = await makePlace(context);
  const make = () => new LocalCa(join(directory, "ca"), "box", clock);
  const ca = make();
  const [one, two] = await Promise.all([ca.root(), ca.root()]);
  assert.deepEqual(one, two);
  assert.deepEqual(await make().root(), one);
  assert.match(one.subject, /CN=Uni local authority box [0-9a-f]{4}, O=Uni/);
  assert.equal((await stat(join(directory, "ca", "root.key"))).mode & 0o777, 0o600);
  const certificate = new X509Certificate(one.pem);
  assert.ok(certificate.ca && certificate.verify(certificate.publicKey));
  assert.ok((await new LocalCa(join(directory, "far"), "x".repeat(64), clock).root()).subject.length <= 72);
  await rm(join(directory, "ca", "root.pem"));
  assert.notEqual((await make().root()).fingerprint, one.fingerprint);
});

test("a leaf is kept until it ends soon, then renewed; a broken one is made anew", async (context) => {
  const { directory, clock } = await makePlace(context);
  const ca = new LocalCa(join(directory, "ca"), "box", clock);
  const first = await ca.leaf("*.uni.localhost");
  const bundle = await readFile(first.path, "utf8");
  assert.equal((await stat(first.path)).mode & 0o777, 0o600);
  await clock.advance(59 * dayMs);
  assert.deepEqual(await ca.leaf("*.uni.localhost"), first);
  await clock.advance(2 * dayMs);
  const second = await ca.leaf("*.uni.localhost");
  assert.deepEqual([second.path, second.notAfter], [first.path, clock.now() + 90 * dayMs]);
  assert.notEqual(await readFile(first.path, "utf8"), bundle);
  await writeFile(first.path, "nothing");
  await ca.leaf("*.uni.localhost");
  assert.match(await readFile(first.path, "utf8"), /BEGIN PRIVATE KEY/);
});

test("a client that trusts the root reaches a name below the wildcard, and no other", async (context) => {
  const { directory } = await makePlace(context);
  const ca = new LocalCa(join(directory, "ca"), "box", systemClock);
  const { path } = await ca.leaf("*.uni.localhost");
  const bundle = await readFile(path);
  const server: Server = createServer({ cert: bundle, key: bundle }, (socket) => socket.end());
  server.on("tlsClientError", () => {});
  context.after(() => server.close());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const root = (await ca.root()).pem;
  const reach = async (servername: string, trusted: string | undefined) => {
    const socket: TLSSocket = connect({
      port,
      host: "127.0.0.1",
      servername,
      ...(trusted === undefined ? {} : { ca: trusted }),
    });
    try {
      await once(socket, "secureConnect");
      return "reached";
    } catch (error) {
      return (error as { code?: string }).code;
    } finally {
      socket.destroy();
    }
  };
  assert.equal(await reach("web.uni.localhost", root), "reached");
  assert.equal(await reach("web.example.com", root), "ERR_TLS_CERT_ALTNAME_INVALID");
  assert.equal(await reach("web.uni.localhost", undefined), "SELF_SIGNED_CERT_IN_CHAIN");
});

test("trusting writes the root and runs the machine's program for it", async (context) => {
  const { directory, clock } = await makePlace(context);
  const root = await new LocalCa(join(directory, "ca"), "box", clock).root();
  await mkdir(join(directory, "bin"));
  const update = join(directory, "bin", "update");
  const store = { directory: join(directory, "trusted"), update };
  await assert.rejects(trustRoot(root, store), { code: "host_unfit" });
  await writeFile(update, '#!/usr/bin/env sh\ntouch "$0.done"\n');
  await chmod(update, 0o755);
  const path = await trustRoot(root, store);
  assert.equal(path, await trustRoot(root, store));
  assert.equal(await readFile(path, "utf8"), root.pem);
  assert.ok(await stat(`${update}.done`));
  await writeFile(update, "#!/usr/bin/env sh\nexit 3\n");
  await assert.rejects(trustRoot(root, store), /exit status 3/);
});
