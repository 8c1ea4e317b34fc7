/** Pulls through a proxy, as the daemon's environment says. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, request } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { makeRoot, writeLeaf } from "../../../../../test/kit/certificates.ts";
import { HostileRegistry } from "../../../../../test/kit/hostile-registry.ts";
import { systemClock } from "../../base/clock.ts";
import { silentLog } from "../../base/log.ts";
import { parseReference } from "../reference.ts";
import { createRemote } from "./client.ts";

const { signal } = new AbortController();
const host = "registry.example.com";
const password = "pr0xy-passw0rd";

interface World {
  readonly registry: HostileRegistry;
  /** What the proxy was asked for: `CONNECT host:port`, `GET http://…`. */
  readonly asked: string[];
  readonly proxy: string;
  /** Fetches a blob from a repository of this host, with these variables alone. */
  readonly fetchWith: (variables: Readonly<Record<string, string>>, from?: string) => Promise<string>;
}

/** The proxy leads all hosts to the one registry, and wants a password. */
async function withProxy(isTls: boolean, body: (world: World) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "uni-proxy-"));
  const root = await makeRoot();
  await writeLeaf(root, [host], join(directory, "leaf.pem"));
  const pem = readFileSync(join(directory, "leaf.pem"), "utf8");
  mkdirSync(join(directory, host));
  writeFileSync(join(directory, host, "ca.crt"), root.certificate.toString("pem"));
  const registry = await HostileRegistry.start(isTls ? { tls: { cert: pem, key: pem } } : {});
  registry.blobs.set("x", Buffer.from("content"));
  const asked: string[] = [];
  const wanted = `Basic ${Buffer.from(`me:${password}`).toString("base64")}`;
  const isLetIn = ({ headers }: IncomingMessage) => headers["proxy-authorization"] === wanted;
  const proxy = createServer((incoming, response) => {
    asked.push(`${incoming.method} ${incoming.url}`);
    if (!isLetIn(incoming)) return void response.writeHead(407).end();
    const { pathname } = new URL(incoming.url ?? "");
    request({ port: registry.port, path: pathname, method: incoming.method ?? "GET" }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    }).end();
  });
  proxy.on("connect", (incoming, socket) => {
    asked.push(`CONNECT ${incoming.url}`);
    if (!isLetIn(incoming)) return void socket.end("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
    const onward = connect(registry.port, "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
      socket.pipe(onward).pipe(socket);
    });
    for (const each of [onward, socket]) each.on("error", () => each.destroy());
  });
  const listening = Promise.withResolvers<void>();
  proxy.listen(0, "127.0.0.1", listening.resolve);
  await listening.promise;
  const before = { ...process.env };
  const fetchWith: World["fetchWith"] = async (variables, from = host) => {
    for (const name of Object.keys(process.env)) if (/_proxy$/i.test(name)) delete process.env[name];
    Object.assign(process.env, variables);
    const remote = createRemote({
      clock: { ...systemClock, sleep: async () => {} },
      log: silentLog,
      certificates: [directory],
      insecureRegistries: isTls ? [] : [host],
    });
    try {
      const options = { actions: "pull", attempted: "pull it" } as const;
      const repository = await remote.openRepository(parseReference(`${from}/web`), options);
      const answer = await repository.request({ method: "GET", path: "blobs/x", signal });
      return (await answer.read(100)).toString();
    } finally {
      remote.close();
    }
  };
  try {
    const { port } = proxy.address() as AddressInfo;
    await body({ registry, asked, proxy: `http://me:${password}@127.0.0.1:${port}`, fetchWith });
  } finally {
    for (const name of Object.keys(process.env)) if (/_proxy$/i.test(name)) delete process.env[name];
    Object.assign(process.env, before);
    proxy.closeAllConnections();
    proxy.close();
    await registry.stop();
    rmSync(directory, { recursive: true });
  }
}

test("HTTPS_PROXY: a tunnel to the registry, whose own certificate counts", () =>
  withProxy(true, async ({ registry, asked, proxy, fetchWith }) => {
    assert.equal(await fetchWith({ HTTPS_PROXY: proxy }), "content");
    assert.deepEqual(new Set(asked), new Set([`CONNECT ${host}:443`]));
    assert.equal(registry.seen.at(-1)?.headers.host, host);
    assert.equal(registry.seen.at(-1)?.headers["proxy-authorization"], undefined);
    assert.equal(await fetchWith({ https_proxy: proxy }), "content");
  }));

test("NO_PROXY: the registry is asked itself; this machine always is", () =>
  withProxy(true, async ({ asked, proxy, fetchWith }) => {
    for (const none of [host, ".example.com", "other,registry.example.com", "*"]) {
      await assert.rejects(fetchWith({ HTTPS_PROXY: proxy, NO_PROXY: none }), { code: "unreachable" }, none);
    }
    assert.deepEqual(asked, []);
    const here = await HostileRegistry.start();
    try {
      here.blobs.set("x", Buffer.from("here"));
      assert.equal(await fetchWith({ HTTPS_PROXY: proxy, HTTP_PROXY: proxy }, here.host), "here");
    } finally {
      await here.stop();
    }
    assert.deepEqual(asked, []);
  }));

test("HTTP_PROXY: a registry without TLS is asked for through it", () =>
  withProxy(false, async ({ asked, proxy, fetchWith }) => {
    assert.equal(await fetchWith({ HTTP_PROXY: proxy }), "content");
    assert.ok(asked.includes(`GET http://${host}/v2/web/blobs/x`), asked.join());
  }));

test("a proxy that refuses, or is not there: the error says so, and not its password", () =>
  withProxy(true, async ({ proxy, fetchWith }) => {
    const wrong = proxy.replace(password, "wr0ng-passw0rd");
    for (const [given, reason] of [
      [wrong, /proxy/i],
      [proxy.replace(/:\d+$/, ":1"), /refused|proxy/i],
    ] as const) {
      await assert.rejects(fetchWith({ HTTPS_PROXY: given }), (error: Error & { hint?: string }) => {
        assert.match(`${error.message} ${error.hint}`, reason);
        assert.doesNotMatch(`${error.message} ${error.hint} ${error.stack}`, /passw0rd/);
        return true;
      });
    }
  }));
