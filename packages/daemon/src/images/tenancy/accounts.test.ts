/** Images of several accounts in one store: what each is called, who has it, and when it goes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { AccountId } from "@uni/contract/ids";
import { HostileRegistry } from "../../../../../test/kit/hostile-registry.ts";
import { imageArchive, imageBlobs } from "../../../../../test/kit/image-archive.ts";
import {
  accounts,
  adminAccount,
  crewAccount,
  crewToken,
  indexOf,
  type TestRegistry,
  teamAccount,
  teamToken,
  withRegistry,
} from "../../../../../test/kit/registry.ts";
import { makeTar } from "../../../../../test/kit/tar-writer.ts";
import { systemClock } from "../../base/clock.ts";
import { silentLog } from "../../base/log.ts";
import type { Image, Images } from "../port.ts";
import { createRemote } from "../remote/client.ts";
import { quietly, storedFiles, stream } from "../test-room.ts";

const none = () => [];
const contentOf = (content: string) => [makeTar([{ name: "a", content }])];

async function load(images: Images, name: string, content = name): Promise<Image> {
  const archive = imageArchive({ layers: contentOf(content), name });
  const [image] = await images.load(stream(archive), undefined, quietly());
  assert.ok(image);
  return image;
}

const views = ({ images }: TestRegistry) => ({
  admin: images,
  team: images.of(teamAccount),
  crew: images.of(crewAccount),
});
const namesIn = async (images: Images) =>
  (await images.list()).flatMap(({ references }) => references).sort();
const missing = { code: "image_not_found" };

test("each account has names of its own, and those without a slash that the machine's account gave", () =>
  withRegistry(async (server) => {
    const { admin, team, crew } = views(server);
    const common = await load(admin, "hello:1");
    await load(admin, "registry.example.com/own/x:1");
    const own = await load(crew, "hello:1", "the crew's");
    await load(crew, "registry.example.com/own/x:1", "the crew's own");
    assert.equal((await admin.resolve("hello:1")).digest, common.digest);
    assert.equal((await team.resolve("hello:1")).digest, common.digest);
    assert.equal((await crew.resolve("hello:1")).digest, own.digest);
    assert.deepEqual(await namesIn(team), ["hello:1"]);
    assert.deepEqual(await namesIn(crew), ["hello:1", "registry.example.com/own/x:1"]);
    assert.deepEqual(await namesIn(admin), ["hello:1", "registry.example.com/own/x:1"]);
    await assert.rejects(team.resolve("registry.example.com/own/x:1"), missing);
    await assert.rejects(
      team.resolve("helo:1"),
      (error: { hint?: string }) => error.hint?.includes("hello:1") === true,
    );
    assert.deepEqual(await server.images.repositories.names(), ["hello", "registry.example.com/own/x"]);
    await crew.remove("hello:1", none);
    assert.equal((await crew.resolve("hello:1")).digest, common.digest, "its own hid it");
    await assert.rejects(crew.remove("hello:1", none), { code: "not_allowed" });
    await assert.rejects(crew.remove(common.digest, none), { code: "not_allowed" });
  }));

test("what the machine's account names below an account's name is that account's; without a slash it is everybody's", () =>
  withRegistry(async (server) => {
    const { admin, team, crew } = views(server);
    const { digest } = await load(admin, "registry.example.com/own/x:1");
    await admin.tag(digest, "team/given:1");
    assert.equal((await team.resolve("team/given:1")).digest, digest);
    await assert.rejects(crew.resolve(digest), missing);
    assert.deepEqual(await admin.accountsOf(digest), [adminAccount, teamAccount]);
    await admin.tag(digest, "given:1");
    assert.equal((await crew.resolve(digest)).digest, digest);
    assert.deepEqual(
      await admin.accountsOf(digest),
      accounts.map(({ id }) => id),
    );
    await admin.remove("given:1", none);
    await assert.rejects(crew.resolve(digest), missing);
    assert.equal((await team.resolve(digest)).digest, digest);
  }));

test("an account that leaves an image takes it from nobody else; with the last it goes", () =>
  withRegistry(async (server) => {
    const { admin, team, crew } = views(server);
    const { digest } = await load(team, "web:1", "same");
    await load(crew, "web:2", "same");
    await load(admin, "web:1", "same");
    assert.deepEqual(await team.remove("web:1", none), { removed: ["web:1"], deleted: true });
    assert.equal((await team.resolve("web:1")).digest, digest, "now that of everybody");
    assert.deepEqual(await admin.remove("web:1", none), { removed: ["web:1"], deleted: false });
    await assert.rejects(team.resolve(digest), missing);
    assert.equal((await crew.resolve(digest)).digest, digest);
    await crew.remove(digest, none);
    const { blobs, roots } = storedFiles(server.directory);
    assert.deepEqual([blobs, roots, await admin.list()], [[], [], []]);
  }));

test("the machine's account removes an image of all by its digest", () =>
  withRegistry(async (server) => {
    const { admin, team } = views(server);
    const { digest } = await load(team, "web:1");
    await load(team, "team/web:1", "web:1");
    await admin.remove(digest, none);
    await assert.rejects(team.resolve("web:1"), missing);
    assert.deepEqual(storedFiles(server.directory).blobs, []);
  }));

test("a removal leaves other repositories of the same name alone", () =>
  withRegistry(async (server) => {
    const image = { layers: contentOf("x"), name: "hello:1" };
    await server.push("hello", "1", image);
    await server.push("hello", "2", image);
    const { crew } = views(server);
    await crew.load(stream(imageArchive(image)), undefined, quietly());
    await crew.remove("hello:1", none);
    const digest = imageBlobs(image)[0].digest;
    for (const reference of ["1", "2", digest]) {
      assert.equal((await server.send("GET", `/v2/hello/manifests/${reference}`)).status, 200, reference);
    }
  }));

test("an account prunes what is its own and has no name", () =>
  withRegistry(async (server) => {
    const { admin, team, crew } = views(server);
    const { digest } = await load(team, "web:1", "older");
    await load(team, "web:1", "newer");
    await load(crew, "web:1", "older");
    await load(crew, "web:1", "the crew's newer");
    assert.equal(await team.collect({ inUse: () => ["an instance"], untagged: true }), 0);
    assert.equal(await team.collect({ inUse: none, untagged: true }), 0, "the crew has it too");
    await assert.rejects(team.resolve(digest), missing);
    assert.equal((await crew.resolve(digest)).digest, digest);
    assert.ok((await crew.collect({ inUse: none })) > 0);
    await assert.rejects(admin.resolve(digest), missing);
  }));

test("whoever uses an image has it, also when it is for everybody no more", async () => {
  const users = new Map<string, AccountId>();
  const isUsed = (digest: string, account?: AccountId) =>
    account === undefined ? users.has(digest) : users.get(digest) === account;
  const body = async (server: TestRegistry) => {
    const { admin, team, crew } = views(server);
    const { digest } = await load(admin, "hello:1");
    await admin.tag("hello:1", "registry.example.com/own/hello:1");
    users.set(digest, teamAccount);
    await admin.remove("hello:1", none);
    assert.equal((await team.resolve(digest)).digest, digest);
    await assert.rejects(crew.resolve(digest), missing);
    await team.tag(digest, "mine:1");
    users.clear();
    assert.equal((await team.resolve("mine:1")).digest, digest);
  };
  await withRegistry(body, { images: { isUsed } });
});

test("a name of one's own for an index that another pushed has all of it that one may have", () =>
  withRegistry(async (server) => {
    const mine = { layers: contentOf("amd64") };
    const arm = { layers: contentOf("arm64"), architecture: "arm64" };
    const manifests = [mine, arm].map((image) => {
      const { mediaType, digest, size } = imageBlobs(image)[0];
      const architecture = image === arm ? "arm64" : "amd64";
      return { mediaType, digest, size, platform: { os: "linux", architecture } };
    });
    const index = { ...indexOf([]), manifests };
    await server.push("multi", "mine", mine);
    await server.push("multi", "arm", arm);
    assert.equal((await server.put("multi", "1", index)).status, 201);
    const { team } = views(server);
    await team.tag("multi:1", "team/multi:1");
    for (const reference of ["1", imageBlobs(mine)[0].digest, imageBlobs(arm)[0].digest]) {
      const { status } = await server.send("GET", `/v2/team/multi/manifests/${reference}`, {
        token: teamToken,
      });
      assert.equal(status, 200, reference);
    }
    const crews = await server.send("GET", `/v2/crew/multi/manifests/1`, { token: crewToken });
    assert.equal(crews.status, 404);
  }));

test("credentials that are kept for a registry are the machine's account's", async () => {
  const registry = await HostileRegistry.start({ secret: "u:p" });
  const credentials = { username: "u", password: "p" };
  const remote = createRemote({
    clock: systemClock,
    log: silentLog,
    credentialsFor: async () => credentials,
  });
  try {
    registry.add(imageBlobs({ layers: contentOf("x") }), "1");
    await withRegistry(
      async (server) => {
        const { admin, team } = views(server);
        const name = `${registry.host}/private:1`;
        await admin.pull(name, { policy: "always" }, quietly());
        await assert.rejects(team.pull(name, { policy: "if_not_present" }, quietly()), {
          code: "registry_denied",
        });
        await team.pull(name, { policy: "always", credentials }, quietly());
      },
      { images: { remote } },
    );
  } finally {
    remote.close();
    await registry.stop();
  }
});
