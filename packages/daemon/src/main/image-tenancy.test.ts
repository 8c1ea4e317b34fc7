/**
 * Whose images are whose: each operation, through each door, by the account that has an image, by another, and by the machine's
 * own. What another may not see is answered as if it were not there, to the letter.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { AccountId } from "@uni/contract/ids";
import { frameKinds } from "@uni/contract/stream-frames";
import { imageArchive, imageBlobs, sha256 } from "../../../../test/kit/image-archive.ts";
import {
  accounts,
  adminAccount,
  adminToken,
  crewAccount,
  crewToken,
  type TestRegistry,
  teamAccount,
  teamToken,
  withRegistry,
} from "../../../../test/kit/registry.ts";
import { makeTar } from "../../../../test/kit/tar-writer.ts";
import { createFakeCore } from "../api/fake-core.ts";
import type { ImagesPort } from "../api/images-port.ts";
import { startSocket } from "../api/socket.ts";
import { open, text } from "../api/socket-test-kit.ts";
import { systemClock } from "../base/clock.ts";
import { silentLog } from "../base/log.ts";
import type { OpenImages } from "../images/images.ts";
import { Pins } from "../images/pins/pins.ts";
import { quietly, stream } from "../images/test-room.ts";
import { ensureAccount } from "../store/accounts.ts";
import { type Database, openDatabase } from "../store/open.ts";
import { createImagesPort } from "./images-port.ts";

const layer = makeTar([{ name: "secret", content: "of the team" }]);
const secret = imageBlobs({ layers: [layer], config: { Cmd: ["x"] } });
const commonLayer = makeTar([{ name: "common", content: "for everybody" }]);

interface Wanted {
  readonly reference: string;
  readonly repository: string;
  readonly tag: string;
  readonly digest: string;
  readonly layer: string;
}

const ofTeam: Wanted = {
  reference: "team/web:1",
  repository: "team/web",
  tag: "1",
  digest: secret[0].digest,
  layer: secret[2]?.digest ?? "",
};
/** Of the same form, and nowhere. */
const nowhere: Wanted = {
  reference: "team/wax:1",
  repository: "team/wax",
  tag: "1",
  digest: sha256(Buffer.from("no manifest")),
  layer: sha256(Buffer.from("no layer")),
};

interface Actor {
  readonly account: AccountId;
  readonly name: string;
  /** Their answer, in whole. */
  rest(method: string, path: string, body?: unknown): Promise<unknown>;
  rpc(method: string, params: object): Promise<unknown>;
  registry(method: string, path: string, body?: Buffer): Promise<unknown>;
}

interface World {
  readonly server: TestRegistry;
  readonly owner: Actor;
  readonly other: Actor;
  readonly admin: Actor;
}

/** The team has pushed an image, and the machine's account has loaded one for everybody and one for itself. */
async function withWorld(body: (world: World) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "uni-tenancy-"));
  const db = await openDatabase(":memory:");
  for (const [index, account] of accounts.entries()) await ensureAccount(db, account, index);
  const closing: (() => Promise<void>)[] = [];
  let images: ImagesPort | undefined;
  try {
    await withRegistry(
      async (server) => {
        const actor = async (account: AccountId, token: string): Promise<Actor> => {
          const path = join(directory, account.slice(0, 8));
          const listener = await startSocket(
            { ...createFakeCore(), ...(images === undefined ? {} : { images }), socketAccount: account },
            { path, log: silentLog },
          );
          closing.push(() => listener.close());
          return actorOf(server, { account, token, path });
        };
        await server.push("team/web", "1", { layers: [layer], config: { Cmd: ["x"] } }, teamToken);
        const load = (name: string, content: Buffer) =>
          server.images.load(stream(imageArchive({ layers: [content], name })), undefined, quietly());
        await load("hello:1", commonLayer);
        await load("registry.example.com/own/x:1", makeTar([{ name: "x", content: "the machine's" }]));
        await body({
          server,
          owner: await actor(teamAccount, teamToken),
          other: await actor(crewAccount, crewToken),
          admin: await actor(adminAccount, adminToken),
        });
      },
      {
        api: async (store, authenticate) => {
          images = await openPort(store, db);
          return { authenticate, images };
        },
      },
    );
  } finally {
    for (const close of closing) await close();
    await db.destroy();
    rmSync(directory, { recursive: true });
  }
}

async function openPort(images: OpenImages, db: Database): Promise<ImagesPort> {
  const pins = await Pins.open({
    db,
    clock: systemClock,
    log: silentLog,
    pull: (account, url, request, signal) =>
      images.of(account).pull(url, { ...request, policy: "never" }, { signal, onProgress() {} }),
  });
  const none = { all: () => [] };
  return createImagesPort(images, { registry: none, saved: none, pins, accounts }, async () => 0);
}

function actorOf(
  server: TestRegistry,
  { account, token, path }: { readonly account: AccountId; readonly token: string; readonly path: string },
): Actor {
  return {
    account,
    name: accounts.find(({ id }) => id === account)?.name ?? "",
    async rest(method, url, body) {
      const headers = { "content-type": "application/json" };
      const options = body === undefined ? { token } : { token, headers, body: JSON.stringify(body) };
      const { status, json } = await server.send(method, url, options);
      const { op_time_us: _, ...told } = json;
      return { status, ...told };
    },
    async rpc(method, params) {
      const client = await open(path);
      try {
        client.call(method, params);
        const { result, error } = await client.reply();
        if (error !== undefined) return { error };
        if (result?.stream !== true) return { result };
        client.send(frameKinds.end, "");
        const frames = await client.frames();
        const last = frames.at(-1);
        const end = JSON.parse(Buffer.from(last?.payload ?? []).toString() || "null");
        if (last?.kind === frameKinds.error) return { error: end };
        return { result: end, data: text(frames, frameKinds.data), events: text(frames, frameKinds.event) };
      } finally {
        client.socket.destroy();
      }
    },
    async registry(method, url, body) {
      const { status, code, bytes } = await server.send(method, url, {
        token,
        ...(body === undefined ? {} : { body }),
      });
      return { status, code, text: bytes.toString() };
    },
  };
}

type Operation = (actor: Actor, wanted: Wanted) => Promise<unknown>;

const rest = (
  method: string,
  path: (wanted: Wanted) => string,
  body?: (wanted: Wanted) => unknown,
): Operation => {
  return (actor, wanted) => actor.rest(method, path(wanted), body?.(wanted));
};
const rpc =
  (method: string, params: (wanted: Wanted, actor: Actor) => object): Operation =>
  (actor, wanted) =>
    actor.rpc(method, params(wanted, actor));
const registry =
  (
    method: string,
    path: (wanted: Wanted, actor: Actor) => string,
    body?: (wanted: Wanted) => Buffer,
  ): Operation =>
  (actor, wanted) =>
    actor.registry(method, path(wanted, actor), body?.(wanted));

const naming = ({ digest, layer: blob }: Wanted) =>
  Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      config: { mediaType: "application/vnd.oci.image.config.v1+json", digest, size: 2 },
      layers: [{ mediaType: "application/vnd.oci.image.layer.v1.tar", digest: blob, size: layer.length }],
    }),
  );

/** Ordered: what removes comes last. */
const operations: Readonly<Record<string, Operation>> = {
  "REST: list by digest": rest("GET", ({ digest }) => `/v1/images?digest=${digest}`),
  "REST: list by tag": rest("GET", ({ reference }) => `/v1/images?tag=${reference}`),
  "REST: image store by digest": rest("GET", ({ digest }) => `/v1/image-store?digest=${digest}`),
  "REST: pin": rest(
    "POST",
    () => "/v1/images",
    ({ reference }) => [{ url: reference, timeout_s: 5 }],
  ),
  "RPC: get by name": rpc("Image.Get", ({ reference }) => ({ reference })),
  "RPC: get by digest": rpc("Image.Get", ({ digest }) => ({ reference: digest })),
  "RPC: get by part of a digest": rpc("Image.Get", ({ digest }) => ({ reference: digest.slice(7, 20) })),
  "RPC: get by name and digest": rpc("Image.Get", (all) => ({
    reference: `${all.repository}@${all.digest}`,
  })),
  "RPC: get what is misspelt": rpc("Image.Get", ({ repository }) => ({ reference: `${repository}:2` })),
  "RPC: history": rpc("Image.History", ({ digest }) => ({ reference: digest })),
  "RPC: files": rpc("Image.Files", ({ reference }) => ({ reference, path: "/" })),
  "RPC: read a file": rpc("Image.ReadFile", ({ digest }) => ({ reference: digest, path: "/secret" })),
  "RPC: copy files": rpc("Image.CopyOut", ({ reference }) => ({ reference, path: "/" })),
  "RPC: save": rpc("Image.Save", ({ digest }) => ({ references: [digest] })),
  "RPC: pull what is here": rpc("Image.Pull", ({ reference }) => ({ reference, policy: "never" })),
  "RPC: build on it": rpc("Image.Build", ({ digest }, { name }) => ({
    ...{ kind: "image", image: digest, reference: `${name}/built:1`, config: { cmd: ["y"] } },
  })),
  "RPC: push": rpc("Image.Push", ({ digest }) => ({ reference: digest, destination: "127.0.0.1:1/a:1" })),
  "RPC: search": rpc("Image.Search", ({ repository }) => ({ term: repository })),
  "RPC: tag": rpc("Image.Tag", ({ digest }, { name }) => ({ source: digest, reference: `${name}/copy:1` })),
  "registry: catalogue": registry("GET", () => "/v2/_catalog"),
  "registry: tags": registry("GET", ({ repository }) => `/v2/${repository}/tags/list`),
  "registry: manifest by tag": registry("GET", ({ repository, tag }) => `/v2/${repository}/manifests/${tag}`),
  "registry: manifest by digest": registry("GET", (all) => `/v2/${all.repository}/manifests/${all.digest}`),
  "registry: blob": registry("GET", (all) => `/v2/${all.repository}/blobs/${all.layer}`),
  "registry: referrers": registry("GET", (all) => `/v2/${all.repository}/referrers/${all.digest}`),
  "registry: manifest of one's own repository": registry(
    "GET",
    ({ digest }, { name }) => `/v2/${name}/else/manifests/${digest}`,
  ),
  "registry: blob of one's own repository": registry(
    "HEAD",
    ({ layer: blob }, { name }) => `/v2/${name}/else/blobs/${blob}`,
  ),
  "registry: manifest that names it": registry(
    "PUT",
    (_all, { name }) => `/v2/${name}/else/manifests/1`,
    naming,
  ),
  "RPC: remove by name": rpc("Image.Remove", ({ reference }) => ({ reference })),
  "RPC: remove by digest": rpc("Image.Remove", ({ digest }) => ({ reference: digest })),
  "registry: delete a tag": registry("DELETE", ({ repository, tag }) => `/v2/${repository}/manifests/${tag}`),
  "registry: delete a blob": registry("DELETE", (all) => `/v2/${all.repository}/blobs/${all.layer}`),
};

/** There is nothing of the kind, or what the owner and the machine's account may do with it has its tests elsewhere. */
const sameForAll: readonly string[] = [
  "registry: catalogue",
  "registry: referrers",
  "registry: manifest of one's own repository",
  "registry: blob of one's own repository",
  "registry: manifest that names it",
  "registry: delete a tag",
  "registry: delete a blob",
];

/** With what was asked for taken out, and what is random. */
function comparable(answer: unknown, { repository, digest, layer: blob, reference }: Wanted): string {
  const words = [reference, repository, digest, digest.slice(7, 20), blob];
  return words
    .reduce((text, word) => text.replaceAll(word, "WANTED"), JSON.stringify(answer))
    .replace(/\/uploads\/[0-9a-f-]{36}/g, "");
}

for (const door of ["REST", "RPC", "registry"]) {
  const some = Object.entries(operations).filter(([name]) => name.startsWith(door));

  test(`${door}: an image of another account is answered exactly like one that is not there`, (context) =>
    withWorld(async ({ other }) => {
      for (const [name, operation] of some) {
        await context.test(name, async () => {
          const before = comparable(await operation(other, nowhere), nowhere);
          assert.equal(comparable(await operation(other, ofTeam), ofTeam), before);
          assert.ok(!before.includes("team/web"), before);
        });
      }
    }));

  for (const who of ["owner", "admin"] as const) {
    test(`${door}: an image of an account is there for the ${who}`, (context) =>
      withWorld(async ({ [who]: actor }) => {
        for (const [name, operation] of some.filter(([each]) => !sameForAll.includes(each))) {
          await context.test(name, async () => {
            const before = comparable(await operation(actor, nowhere), nowhere);
            const after = comparable(await operation(actor, ofTeam), ofTeam);
            if (name === "RPC: push") assert.match(after, /unreachable/);
            else assert.notEqual(after, before);
          });
        }
      }));
  }
}
