/** Whoever knows the digest of another's layer has nothing of it: by no way in, and at no place where bytes are shared. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { HostileRegistry, refuse, sendBytes } from "../../../../../test/kit/hostile-registry.ts";
import { type Blob, imageArchive, imageBlobs, sha256 } from "../../../../../test/kit/image-archive.ts";
import {
  crewAccount,
  crewToken,
  type TestRegistry,
  teamAccount,
  teamToken,
  withRegistry,
} from "../../../../../test/kit/registry.ts";
import { makeTar } from "../../../../../test/kit/tar-writer.ts";
import type { Images } from "../port.ts";
import { quietly, storedFiles, stream } from "../test-room.ts";

const layer = makeTar([{ name: "secret", content: "s".repeat(400_000) }]);
const secret = imageBlobs({ layers: [layer], config: { Cmd: ["theirs"] } });
/** Another image, of the same layer. */
const own = imageBlobs({ layers: [layer], config: { Cmd: ["mine"] } });
const [, config, bytes] = own;
const always = { policy: "always" } as const;

interface World {
  readonly server: TestRegistry;
  /** Of whoever attacks. */
  readonly hostile: HostileRegistry;
  readonly crew: Images;
  readonly pull: () => Promise<unknown>;
}

/** The team has an image; the crew has a registry that does what it wants. */
async function withWorld(body: (world: World) => Promise<void>): Promise<void> {
  const hostile = await HostileRegistry.start();
  try {
    await withRegistry(async (server) => {
      await server.push("team/web", "1", { layers: [layer], config: { Cmd: ["theirs"] } }, teamToken);
      await server.images.of(teamAccount).resolve("team/web:1");
      const crew = server.images.of(crewAccount);
      await body({ server, hostile, crew, pull: () => crew.pull(`${hostile.host}/x:1`, always, quietly()) });
    });
  } finally {
    await hostile.stop();
  }
}

const without = (blobs: readonly [Blob, ...Blob[]], lost: Blob | undefined): [Blob, ...Blob[]] => {
  const [first, ...others] = blobs;
  return [first, ...others.filter((each) => each !== lost)];
};

test("by a pull: a manifest that names another's layer, which its registry does not have, gives nothing", () =>
  withWorld(async ({ hostile, crew, pull }) => {
    for (const [blobs, lost] of [
      [own, bytes],
      [secret, secret[1]],
      [secret, secret[2]],
    ] as const) {
      hostile.add(without(blobs, lost), "1");
      await assert.rejects(pull(), { code: "image_not_found" });
      hostile.blobs.clear();
    }
    assert.deepEqual(await crew.list(), []);
    const byDigest = crew.pull(`${hostile.host}/x@${secret[0].digest}`, always, quietly());
    await assert.rejects(byDigest, { code: "image_not_found" });
  }));

test("by a pull of the machine's account, which sees all: neither, for what it names may be for everybody", () =>
  withWorld(async ({ server, hostile }) => {
    hostile.add(without(own, bytes), "1");
    const pulled = server.images.pull(`${hostile.host}/x:1`, always, quietly());
    await assert.rejects(pulled, { code: "image_not_found" });
  }));

test("by a pull: what the registry really has is fetched once more, and kept once", () =>
  withWorld(async ({ server, hostile, crew, pull }) => {
    const before = storedFiles(server.directory).blobs.length;
    hostile.add(secret, "1");
    await pull();
    assert.equal(hostile.count(secret[2]?.digest ?? ""), 1);
    assert.equal(storedFiles(server.directory).blobs.length, before);
    hostile.add(own, "1");
    await pull();
    assert.equal(
      hostile.count(bytes?.digest ?? ""),
      1,
      "that they have brought themselves is not asked for again",
    );
    const [first] = await crew.list();
    assert.deepEqual(first?.config.cmd, ["theirs"]);
    assert.equal((await crew.list()).length, 2);
  }));

test("by a pull: the rest of another's download is not enough", () =>
  withWorld(async ({ server, hostile, pull }) => {
    const other = makeTar([{ name: "other", content: "o".repeat(400_000) }]);
    const image = imageBlobs({ layers: [other] });
    const digest = image[2]?.digest ?? "";
    hostile.add(image, "1");
    let isCut = true;
    hostile.intercepts.push((seen, response) => {
      if (!seen.path.endsWith(digest)) return undefined;
      const from = Number(/^bytes=(\d+)-$/.exec(seen.headers.range ?? "")?.[1] ?? 0);
      if (!isCut && from === 0) refuse(response, 404, "BLOB_UNKNOWN");
      else if (!isCut) sendBytes(seen, response, other);
      else if (from > 0) refuse(response, 403, "DENIED");
      else response.writeHead(200, { "content-length": other.length }).write(other.subarray(0, 300_000));
      if (isCut && from === 0) setTimeout(() => response.destroy(), 50);
      return true;
    });
    const ofTeam = server.images.of(teamAccount).pull(`${hostile.host}/x:1`, always, quietly());
    await assert.rejects(ofTeam);
    assert.equal(readdirSync(join(server.directory, "partial")).length, 1);
    isCut = false;
    await assert.rejects(pull(), { code: "image_not_found" });
  }));

test("by a pull: accounts that pull the same layer at once each bring it", () =>
  withWorld(async ({ server, hostile }) => {
    const image = imageBlobs({ layers: [makeTar([{ name: "a", content: "both" }])] });
    hostile.add(image, "1");
    await Promise.all(
      [teamAccount, crewAccount].map((account) =>
        server.images.of(account).pull(`${hostile.host}/x:1`, always, quietly()),
      ),
    );
    assert.equal(hostile.count(image[2]?.digest ?? ""), 2);
  }));

test("by a push: a manifest that names another's blob is answered like one that names none", () =>
  withWorld(async ({ server }) => {
    const put = async (document: object) => server.put("crew/x", "1", document, { token: crewToken });
    await server.blob("crew/x", config?.bytes ?? Buffer.alloc(0), crewToken);
    const naming = (digest: string, mediaType = bytes?.mediaType) => ({
      ...JSON.parse(own[0].bytes.toString()),
      layers: [{ mediaType, digest, size: layer.length }],
    });
    const unknown = sha256(Buffer.from("nobody's"));
    const [theirs, none] = [await put(naming(bytes?.digest ?? "")), await put(naming(unknown))];
    assert.deepEqual([theirs.status, theirs.code], [404, "MANIFEST_BLOB_UNKNOWN"]);
    assert.equal(
      theirs.bytes.toString().replaceAll(bytes?.digest ?? "", "X"),
      none.bytes.toString().replaceAll(unknown, "X"),
    );
  }));

test("by a push: a layer that may be elsewhere is taken, gives no access, and is not run", () =>
  withWorld(async ({ server, crew }) => {
    await server.blob("crew/x", config?.bytes ?? Buffer.alloc(0), crewToken);
    const mediaType = "application/vnd.oci.image.layer.nondistributable.v1.tar";
    const outcomes: string[] = [];
    for (const digest of [bytes?.digest ?? "", sha256(Buffer.from("nobody's"))]) {
      const document = {
        ...JSON.parse(own[0].bytes.toString()),
        layers: [{ mediaType, digest, size: layer.length }],
      };
      // The team has pushed the very same with its layer, which makes it no part of what the crew has.
      if (digest === bytes?.digest) {
        await server.blob("team/web", config?.bytes ?? Buffer.alloc(0), teamToken);
        assert.equal((await server.put("team/web", "2", document, { token: teamToken })).status, 201);
        await server.images.of(teamAccount).resolve("team/web:2");
      }
      assert.equal((await server.put("crew/x", "1", document, { token: crewToken })).status, 201);
      assert.equal(
        (await server.send("GET", `/v2/crew/x/blobs/${digest}`, { token: crewToken })).status,
        404,
      );
      await assert.rejects(crew.resolve("crew/x:1"), (error: { code: string }) => {
        outcomes.push(error.code);
        return true;
      });
    }
    assert.deepEqual(outcomes, ["image_not_found", "image_invalid"]);
  }));

test("by an archive: one that lacks a layer does not get another's", () =>
  withWorld(async ({ crew }) => {
    const archive = imageArchive({ layers: [layer], config: { Cmd: ["mine"] } });
    const at = archive.indexOf(Buffer.from(`blobs/sha256/${sha256(layer).slice(7)}`));
    assert.ok(at > 0);
    const name = Buffer.from("blobs/sha256/none");
    const header = archive.subarray(at, at + 512);
    header.fill(0, 0, 100);
    name.copy(header);
    header.fill(" ", 148, 156);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
    await assert.rejects(crew.load(stream(archive), undefined, quietly()), { code: "image_invalid" });
  }));

test("whoever uploads the same layer has it, and it is kept once", () =>
  withWorld(async ({ server, crew }) => {
    const before = storedFiles(server.directory).blobs.length;
    await server.push("crew/y", "1", { layers: [layer], config: { Cmd: ["theirs"] } }, crewToken);
    assert.equal((await crew.resolve("crew/y:1")).digest, secret[0].digest);
    await using files = await crew.open("crew/y:1");
    const content = await text(files.read("/secret", new AbortController().signal));
    assert.equal(content.length, 400_000);
    assert.equal(storedFiles(server.directory).blobs.length, before);
  }));
