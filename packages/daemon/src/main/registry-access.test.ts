/** Who may do what in the registry, and how clients come by tokens. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { sha256 } from "../../../../test/kit/image-archive.ts";
import {
  adminToken,
  pushArtifact,
  type TestRegistry,
  teamToken,
  withRegistry,
} from "../../../../test/kit/registry.ts";
import { ManualClock } from "../base/manual-clock.ts";

const basic = (password: string, user = "anybody") =>
  `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
const withHeader = (authorization: string) => ({ token: null, headers: { authorization } });
const form = (members: Readonly<Record<string, string>>) => ({
  token: null,
  body: new URLSearchParams(members).toString(),
  headers: { "content-type": "application/x-www-form-urlencoded" },
});

async function getToken(server: TestRegistry, scope: string, password = adminToken): Promise<string> {
  const path = `/v2/token?service=uni&scope=${encodeURIComponent(scope)}`;
  const { status, json } = await server.send("GET", path, withHeader(basic(password)));
  assert.equal(status, 200);
  assert.equal(json.token, json.access_token);
  return json.token;
}

test("GET /v2/ without a token is 401, with where tokens are", () =>
  withRegistry(async (server) => {
    const { status, headers, code } = await server.send("GET", "/v2/", { token: null });
    assert.deepEqual([status, code], [401, "UNAUTHORIZED"]);
    assert.equal(
      headers["www-authenticate"],
      `Bearer realm="http://${server.address}/v2/token",service="uni"`,
    );
    assert.equal(headers["docker-distribution-api-version"], "registry/2.0");
  }));

test("the challenge names what is wanted, and the origin that the client sees", () =>
  withRegistry(async (server) => {
    const headers = { host: "registry.example.com", "x-forwarded-proto": "https" };
    const of = async (method: string, path: string) =>
      (await server.send(method, path, { token: null, headers })).headers["www-authenticate"];
    const realm = 'Bearer realm="https://registry.example.com/v2/token",service="uni"';
    assert.equal(await of("GET", "/v2/a/b/tags/list"), `${realm},scope="repository:a/b:pull"`);
    assert.equal(await of("POST", "/v2/a/b/blobs/uploads/"), `${realm},scope="repository:a/b:pull,push"`);
    assert.equal(await of("DELETE", "/v2/a/b/manifests/x"), `${realm},scope="repository:a/b:delete"`);
    const odd = { host: 'x",service="y' };
    const { headers: answer } = await server.send("GET", "/v2/", { token: null, headers: odd });
    assert.doesNotMatch(String(answer["www-authenticate"]), /service="y/);
  }));

test("a platform token is the password of any user, and a bearer token", () =>
  withRegistry(async (server) => {
    for (const header of [basic(adminToken), basic(adminToken, ""), `Bearer ${adminToken}`]) {
      assert.equal((await server.send("GET", "/v2/", withHeader(header))).status, 200, header);
    }
    for (const header of [basic("wrong"), "Bearer wrong", "Bearer a.b", "Basic", "Basic !!", "Digest x"]) {
      const { status, headers } = await server.send("GET", "/v2/", withHeader(header));
      assert.equal(status, 401, header);
      assert.match(String(headers["www-authenticate"]), /error="invalid_token"/);
    }
  }));

test("the token flow: a token for the scopes that were asked for, and for nothing else", () =>
  withRegistry(async (server) => {
    await pushArtifact(server, { repository: "a/b", reference: "v1" });
    await pushArtifact(server, { repository: "c", reference: "v1" });
    const token = await getToken(server, "repository:a/b:pull");
    assert.equal((await server.send("GET", "/v2/a/b/manifests/v1", { token })).status, 200);
    const other = await server.send("GET", "/v2/c/manifests/v1", { token });
    assert.equal(other.status, 401);
    assert.match(
      String(other.headers["www-authenticate"]),
      /scope="repository:c:pull",error="insufficient_scope"/,
    );
    assert.equal((await server.send("POST", "/v2/a/b/blobs/uploads/", { token })).status, 401);
    assert.equal((await server.send("DELETE", "/v2/a/b/manifests/v1", { token })).status, 401);
    const all = await getToken(server, "repository:a/b:* repository:c:pull,push");
    assert.equal((await server.send("DELETE", "/v2/a/b/manifests/v1", { token: all })).status, 202);
    assert.equal((await server.send("POST", "/v2/c/blobs/uploads/", { token: all })).status, 202);
    assert.equal((await server.send("DELETE", "/v2/c/manifests/v1", { token: all })).status, 401);
  }));

test("a mount wants a token that may pull from where the blob is", () =>
  withRegistry(async (server) => {
    const digest = await server.blob("a/b", Buffer.from("x"));
    const path = `/v2/c/blobs/uploads/?mount=${digest}&from=a/b`;
    const one = await getToken(server, "repository:c:pull,push");
    assert.equal((await server.send("POST", path, { token: one })).status, 202);
    const both = await getToken(server, "repository:c:pull,push repository:a/b:pull");
    assert.equal((await server.send("POST", path, { token: both })).status, 201);
  }));

test("a token ends after some minutes, and one that was changed is none", async () => {
  const clock = new ManualClock();
  const body = async (server: TestRegistry) => {
    const token = await getToken(server, "repository:a:pull,push");
    assert.equal((await server.send("POST", "/v2/a/blobs/uploads/", { token })).status, 202);
    const [payload = "", mac] = token.split(".");
    const changed = Buffer.from(payload, "base64url").toString().replace('"a"', '"b"');
    const forged = `${Buffer.from(changed).toString("base64url")}.${mac}`;
    assert.equal((await server.send("POST", "/v2/b/blobs/uploads/", { token: forged })).status, 401);
    await clock.advance(300_000);
    assert.equal((await server.send("POST", "/v2/a/blobs/uploads/", { token })).status, 401);
  };
  await withRegistry(body, { clock });
});

test("the token endpoint refuses strangers, and asks them for a password", () =>
  withRegistry(async (server) => {
    for (const options of [{ token: null }, withHeader(basic("wrong")), { token: "wrong" }]) {
      const { status, code, headers } = await server.send("GET", "/v2/token?service=uni", options);
      assert.deepEqual([status, code], [401, "UNAUTHORIZED"]);
      assert.match(String(headers["www-authenticate"]), /^Basic /);
    }
    const wrong = form({ grant_type: "password", username: "x", password: "wrong" });
    assert.equal((await server.send("POST", "/v2/token", wrong)).status, 401);
    const odd = form({ grant_type: "client_credentials" });
    assert.equal((await server.send("POST", "/v2/token", odd)).status, 400);
    const long = form({ grant_type: "password", password: "x".repeat(100_000) });
    assert.equal((await server.send("POST", "/v2/token", long)).status, 413);
  }));

test("OAuth 2's form: a password gives a refresh token, and that one further tokens", () =>
  withRegistry(async (server) => {
    const scope = "repository:a:pull,push";
    const asked = { grant_type: "password", username: "x", password: adminToken, access_type: "offline" };
    const first = await server.send(
      "POST",
      "/v2/token",
      form({ ...asked, scope, service: "uni", client_id: "t" }),
    );
    assert.equal(first.status, 200);
    assert.equal(first.headers["cache-control"], "no-store");
    const refresh = { grant_type: "refresh_token", refresh_token: first.json.refresh_token, scope };
    const second = await server.send("POST", "/v2/token", form(refresh));
    assert.equal(second.status, 200);
    for (const { access_token: token } of [first.json, second.json]) {
      assert.equal((await server.send("POST", "/v2/a/blobs/uploads/", { token })).status, 202);
    }
    const text = first.json.refresh_token as string;
    const changed = `${text.slice(0, -2)}${text.endsWith("A") ? "B" : "A"}${text.at(-1)}`;
    for (const refresh_token of [changed, "x", "", adminToken]) {
      const answer = await server.send("POST", "/v2/token", form({ ...refresh, refresh_token }));
      assert.equal(answer.status, 401);
    }
    const offline = "/v2/token?offline_token=true&service=uni";
    const { json } = await server.send("GET", offline, withHeader(basic(adminToken)));
    assert.equal(typeof json.refresh_token, "string");
  }));

test("an account has the repositories below its name, and sees no others", () =>
  withRegistry(async (server) => {
    await pushArtifact(server, { repository: "web", reference: "v1" });
    await server.blob("team/own", Buffer.from("x"), teamToken);
    const paths = [
      "/v2/web/manifests/v1",
      "/v2/nothing/manifests/v1",
      "/v2/team/manifests/v1",
      "/v2/teams/x/tags/list",
    ];
    for (const path of paths) {
      const { status, code } = await server.send("GET", path, { token: teamToken });
      assert.deepEqual([status, code], [403, "DENIED"], path);
    }
    assert.equal((await server.send("POST", "/v2/web/blobs/uploads/", { token: teamToken })).status, 403);
    assert.equal((await server.send("DELETE", "/v2/web/manifests/v1", { token: teamToken })).status, 403);
    const { json } = await server.send("GET", "/v2/_catalog", { token: teamToken });
    assert.deepEqual(json.repositories, ["team/own"]);
    assert.deepEqual((await server.send("GET", "/v2/_catalog")).json.repositories, ["team/own", "web"]);
    const token = await getToken(server, "repository:web:pull repository:team/own:pull", teamToken);
    assert.equal((await server.send("GET", "/v2/web/manifests/v1", { token })).status, 403);
    assert.equal((await server.send("GET", "/v2/team/own/tags/list", { token })).status, 200);
  }));

test("a digest of others gives an account nothing: by no pull, mount, manifest, index or subject", () =>
  withRegistry(async (server) => {
    const secret = await server.blob("web", Buffer.from("secret"));
    const { digest, size, mediaType } = await pushArtifact(server, { repository: "web", reference: "v1" });
    const send = (method: string, path: string) => server.send(method, path, { token: teamToken });
    assert.equal((await send("GET", `/v2/team/x/blobs/${secret}`)).status, 404);
    assert.equal((await send("GET", `/v2/team/x/manifests/${digest}`)).status, 404);
    assert.equal((await send("POST", `/v2/team/x/blobs/uploads/?mount=${secret}&from=web`)).status, 202);
    await server.blob("team/x", Buffer.from("{}"), teamToken);
    const config = { mediaType: "a/b", digest: sha256(Buffer.from("{}")), size: 2 };
    const foreign = "application/vnd.oci.image.layer.nondistributable.v1.tar";
    const put = (document: object) => server.put("team/x", "v1", document, { token: teamToken });
    const manifest = { schemaVersion: 2, config, layers: [] as object[] };
    assert.equal(
      (await put({ ...manifest, layers: [{ mediaType: "a", digest: secret, size: 6 }] })).status,
      404,
    );
    assert.equal(
      (await put({ ...manifest, layers: [{ mediaType: foreign, digest: secret, size: 6 }] })).status,
      201,
    );
    assert.equal((await put({ ...manifest, subject: { digest, size, mediaType } })).status, 201);
    const type = "application/vnd.oci.image.index.v1+json";
    const index = { schemaVersion: 2, mediaType: type, manifests: [{ digest, size, mediaType }] };
    assert.equal((await put(index)).status, 404);
    assert.equal((await send("GET", `/v2/team/x/blobs/${secret}`)).status, 404);
    assert.equal((await send("GET", `/v2/team/x/manifests/${digest}`)).status, 404);
  }));

test("the API knows nothing of the registry's tokens", () =>
  withRegistry(async (server) => {
    const token = await getToken(server, "repository:a:*");
    assert.equal((await server.send("GET", "/v1/instances", { token })).status, 401);
    assert.equal((await server.send("GET", "/v1/instances", withHeader(basic(adminToken)))).status, 401);
  }));
