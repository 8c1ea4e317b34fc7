import assert from "node:assert/strict";
import { test } from "node:test";
import { frameKinds } from "@uni/contract/stream-frames";
import { type Script, Stream } from "../../../../test/kit/fake-daemon.ts";
import { talk } from "../../../../test/kit/run-uni.ts";

const digest = `sha256:${"ab".repeat(32)}`;
const uuid = "00000000-0000-4000-8000-000000000007";
const pin = { uuid, url: "nginx", name: "nginx", state: "ready", created_at: "2026-01-01T00:00:00Z" };
const answer = (images: readonly object[]) => ({
  status: "success",
  data: { images },
  op_time_us: 1,
});

test("push says what goes on and where the image went", async () => {
  const script: Script = {
    "Image.Push": ({ destination = "web:1" }) =>
      new Stream(async (peer) => {
        peer.sendJson(frameKinds.progress, { step: "platform", message: "only a part" });
        return { reference: destination, digest };
      }),
  };
  const { code, stdout, stderr, calls } = await talk(script, ["push", "web", "registry.example.com/web:2"]);
  assert.equal(code, 0);
  assert.deepEqual(calls[0]?.params, { reference: "web", destination: "registry.example.com/web:2" });
  assert.equal(stdout, `${digest}  registry.example.com/web:2\n`);
  assert.match(stderr, /only a part/);
  const quiet = await talk(script, ["push", "-q", "web:1"]);
  assert.deepEqual([quiet.stdout, quiet.calls[0]?.params], [`${digest}\n`, { reference: "web:1" }]);
});

test("search shows names, tags and descriptions", async () => {
  const tags = ["1", "2", "3", "4", "5", "6"];
  const script: Script = {
    "Image.Search": () => [
      { name: "team/web", tags, tag_count: 7, description: "serves" },
      { name: "web", tags: ["1"], tag_count: 1 },
    ],
  };
  const { stdout, calls } = await talk(script, ["search", "web"]);
  assert.deepEqual(calls[0]?.params, { term: "web" });
  assert.match(stdout, /^NAME +TAGS +DESCRIPTION\nteam\/web +1, 2, 3, 4, 5 and 2 more +serves\nweb +1\n$/);
  assert.equal((await talk(script, ["search", "web", "-q"])).stdout, "team/web\nweb\n");
});

test("image pin waits as long as it is told, and unpin takes images or uuids", async () => {
  const script: Script = {
    pinImages: () => answer([{ ...pin, status: "success" }]),
    unpinImages: () => answer([{ status: "success", uuid, name: "nginx" }]),
    "Image.Pins": () => [pin],
  };
  const pinned = await talk(script, ["image", "pin", "nginx", "--idle", "1h", "--timeout", "1.2"]);
  assert.equal(pinned.stdout, `${uuid}  ready  nginx\n`);
  assert.deepEqual(pinned.calls[0]?.params, {
    body: [{ url: "nginx", timeout_s: 2, autokill: { time_ms: 3_600_000 } }],
  });
  const forever = await talk(script, ["image", "pin", "nginx"]);
  assert.deepEqual(forever.calls[0]?.params, { body: [{ url: "nginx", timeout_s: -1 }] });
  assert.match((await talk(script, ["image", "pins"])).stdout, /^IMAGE +STATE +SINCE +UUID\nnginx +ready /);
  const byName = await talk(script, ["image", "unpin", "nginx"]);
  assert.deepEqual([byName.stdout, byName.calls.at(-1)?.params], ["nginx\n", { body: [{ uuid }] }]);
  const byUuid = await talk(script, ["image", "unpin", uuid]);
  assert.deepEqual(
    byUuid.calls.map(({ method }) => method),
    ["unpinImages"],
  );
  const none = await talk(script, ["image", "unpin", "redis"]);
  assert.equal(none.code, 66);
  assert.match(none.stderr, /'redis': it is not pinned/);
});

test("images are filtered, and shown with whole digests when asked", async () => {
  const image = (name: string, day: number) => ({
    digest: `sha256:${`${day}f`.repeat(32)}`,
    references: name === "" ? [] : [name],
    created_at: `2026-01-0${day}T00:00:00Z`,
    size_bytes: 1000,
    config: { labels: {} },
  });
  const script: Script = { "Image.List": () => [image("web:1", 1), image("db:1", 2), image("", 3)] };
  const dangling = await talk(script, ["images", "-q", "--filter", "dangling=true"]);
  assert.equal(dangling.stdout, `sha256:${"3f".repeat(32)}\n`);
  const named = await talk(script, ["images", "d?", "--digests"]);
  assert.match(named.stdout, new RegExp(`^IMAGE.*\\ndb:1 +sha256:${"2f".repeat(32)} .*\\n$`));
  const wrong = await talk(script, ["images", "--filter", "colour=red"]);
  assert.deepEqual([wrong.code, /dangling=true/.test(wrong.stderr)], [64, true]);
});

test("df shows what is shared and what a prune would free", async () => {
  const kinds = [
    { kind: "image_layers", count: 2, bytes: 3 << 20, shared_bytes: 1 << 20, reclaimable_bytes: 2 << 20 },
    { kind: "logs", count: 1, bytes: 4096 },
  ];
  const script: Script = { "Daemon.DiskUsage": () => ({ kinds, total_bytes: 4 << 20 }) };
  const { stdout } = await talk(script, ["df"]);
  assert.match(
    stdout,
    /^KIND +COUNT +SIZE +SHARED +PRUNABLE +WHAT\nimage_layers +2 +3\.0 MB +1\.0 MB +2\.0 MB /,
  );
  assert.match(stdout, /\nlogs +1 +4\.0 KB +what programs printed\n/);
});
