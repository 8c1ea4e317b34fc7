import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
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

async function withTls(
  body: (registry: HostileRegistry, pull: () => Promise<string>, directory: string) => Promise<void>,
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "uni-certs-"));
  const root = await makeRoot();
  await writeLeaf(root, ["localhost"], join(directory, "leaf.pem"));
  const pem = readFileSync(join(directory, "leaf.pem"), "utf8");
  const registry = await HostileRegistry.start({ tls: { cert: pem, key: pem } });
  const name = `localhost:${registry.port}`;
  mkdirSync(join(directory, name));
  writeFileSync(join(directory, "root.crt"), root.certificate.toString("pem"));
  registry.blobs.set("x", Buffer.from("content"));
  const pull = async (): Promise<string> => {
    const remote = createRemote({ clock: systemClock, log: silentLog, certificates: [directory] });
    try {
      const options = { actions: "pull", attempted: "pull it" } as const;
      const repository = await remote.openRepository(parseReference(`${name}/web`), options);
      const answer = await repository.request({ method: "GET", path: "blobs/x", signal });
      return (await answer.read(100)).toString();
    } finally {
      remote.close();
    }
  };
  try {
    await body(registry, pull, join(directory, name));
  } finally {
    await registry.stop();
    rmSync(directory, { recursive: true });
  }
}

test("a registry whose root nobody vouches for is not spoken to, in plain HTTP neither", () =>
  withTls(async (registry, pull) => {
    await assert.rejects(pull(), {
      code: "unreachable",
      message: /the certificate of localhost:\d+ is not trusted/,
      hint: /certs\.d\/localhost:\d+\/ca\.crt/,
    });
    assert.equal(registry.seen.length, 0);
  }));

test("roots in the host's own directory are trusted", () =>
  withTls(async (_registry, pull, own) => {
    writeFileSync(join(own, "ca.crt"), readFileSync(join(own, "..", "root.crt")));
    assert.equal(await pull(), "content");
    writeFileSync(join(own, "client.cert"), "no certificate");
    await assert.rejects(pull(), { code: "certificate_invalid" });
  }));
