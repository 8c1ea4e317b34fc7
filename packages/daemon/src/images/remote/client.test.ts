/** The transport against a registry that does what a test tells it to. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { HostileRegistry, type RegistryOptions, refuse } from "../../../../../test/kit/hostile-registry.ts";
import { type Clock, systemClock } from "../../base/clock.ts";
import { silentLog } from "../../base/log.ts";
import { parseReference } from "../reference.ts";
import { createRemote, type Remote, type RemoteOptions, type Repository } from "./client.ts";

const signal = new AbortController().signal;

/** Waits for nothing, and notes how long it would have waited. */
function hastyClock(): Clock & { readonly waits: number[] } {
  const waits: number[] = [];
  return {
    ...systemClock,
    waits,
    async sleep(ms, aborted) {
      waits.push(ms);
      aborted?.throwIfAborted();
    },
  };
}

interface Surroundings {
  readonly registry: HostileRegistry;
  readonly remote: Remote;
  readonly clock: ReturnType<typeof hastyClock>;
  readonly open: (credentials?: { username: string; password: string }) => Promise<Repository>;
}

async function withRegistry(
  options: RegistryOptions,
  body: (surroundings: Surroundings) => Promise<void>,
  overrides: Partial<RemoteOptions> = {},
): Promise<void> {
  const registry = await HostileRegistry.start(options);
  const clock = hastyClock();
  const remote = createRemote({ clock, log: silentLog, random: () => 1, ...overrides });
  try {
    registry.blobs.set("x", Buffer.from("content"));
    const open: Surroundings["open"] = (credentials) =>
      remote.openRepository(parseReference(`${registry.host}/team/web:1`), {
        actions: "pull",
        attempted: "pull it",
        credentials,
      });
    await body({ registry, remote, clock, open });
  } finally {
    remote.close();
    await registry.stop();
  }
}

const fetchBlob = async (repository: Repository, expect = [200]): Promise<string> => {
  const answer = await repository.request({ method: "GET", path: "blobs/x", signal, expect });
  return (await answer.read(1000)).toString();
};

test("a registry on this machine is spoken to in plain HTTP", () =>
  withRegistry({}, async ({ open, registry }) => {
    assert.equal(await fetchBlob(await open()), "content");
    assert.equal(registry.seen.at(-1)?.path, "/v2/team/web/blobs/x");
  }));

test("a password is sent when it is asked for, and not before", () =>
  withRegistry({ secret: "me:secret" }, async ({ open, registry }) => {
    const repository = await open({ username: "me", password: "secret" });
    assert.equal(await fetchBlob(repository), "content");
    assert.equal(await fetchBlob(repository), "content");
    const sent = registry.seen.map(({ headers }) => headers.authorization !== undefined);
    assert.deepEqual(sent, [false, true, true]);
    await assert.rejects(fetchBlob(await open({ username: "me", password: "wrong" })), {
      code: "registry_denied",
      message: /answered 401 \(UNAUTHORIZED: said the registry\)/,
      hint: /uni login 127\.0\.0\.1/,
    });
    await assert.rejects(fetchBlob(await open()), { code: "registry_denied" });
  }));

test("a token is fetched once for requests side by side, and kept for the next repository", () =>
  withRegistry({ secret: "me:secret", scheme: "bearer" }, async ({ open, registry }) => {
    const credentials = { username: "me", password: "secret" };
    const repository = await open(credentials);
    await Promise.all([1, 2, 3].map(() => fetchBlob(repository)));
    await fetchBlob(await open(credentials));
    const asked = registry.seen.filter(({ path }) => path.startsWith("/token"));
    assert.deepEqual(
      asked.map(({ path }) => path),
      ["/token?service=s&scope=repository%3Ateam%2Fweb%3Apull"],
    );
    await assert.rejects(fetchBlob(await open({ username: "me", password: "wrong" })), {
      code: "registry_denied",
      hint: /the password is wrong/,
    });
  }));

test("a token that is no longer taken is fetched anew, once", () =>
  withRegistry({ secret: "me:secret", scheme: "bearer" }, async ({ open, registry }) => {
    const repository = await open({ username: "me", password: "secret" });
    await fetchBlob(repository);
    let refusals = 1;
    registry.intercepts.push(({ path }, response) => {
      if (!path.includes("/blobs/") || refusals-- <= 0) return false;
      response.setHeader("www-authenticate", `Bearer realm="http://${registry.host}/token",service="s"`);
      refuse(response, 401, "UNAUTHORIZED");
      return true;
    });
    assert.equal(await fetchBlob(repository), "content");
    assert.equal(registry.seen.filter(({ path }) => path.startsWith("/token")).length, 2);
  }));

test("an identity token goes to the token server in the body", () =>
  withRegistry({ secret: "me:secret", scheme: "bearer" }, async ({ open, registry }) => {
    assert.equal(await fetchBlob(await open({ username: "<token>", password: "identity" })), "content");
    const asked = registry.seen.find(({ path }) => path.startsWith("/token"));
    assert.equal(asked?.method, "POST");
    assert.match(asked?.body ?? "", /grant_type=refresh_token/);
    assert.equal(asked?.path, "/token");
  }));

test("429 is waited for as long as the registry wishes, and no longer than that is bearable", () =>
  withRegistry({}, async ({ open, registry, clock }) => {
    let left = 2;
    let after = "7";
    registry.intercepts.push(({ path }, response) => {
      if (!path.includes("/blobs/") || left-- <= 0) return false;
      response.setHeader("retry-after", after);
      refuse(response, 429, "TOOMANYREQUESTS");
      return true;
    });
    const repository = await open();
    assert.equal(await fetchBlob(repository), "content");
    assert.deepEqual(clock.waits, [7000, 7000]);
    left = 1;
    after = "3600";
    await assert.rejects(fetchBlob(repository), { code: "registry_failed", hint: /try again after 3600/ });
  }));

test("500 and broken connections are tried again with growing pauses, and given up in the end", () =>
  withRegistry({}, async ({ open, registry, clock }) => {
    let failure: "status" | "break" = "status";
    registry.intercepts.push(({ path }, response) => {
      if (!path.includes("/blobs/")) return false;
      if (failure === "status") refuse(response, 500, "UNKNOWN");
      else response.destroy();
      return true;
    });
    const repository = await open();
    await assert.rejects(fetchBlob(repository), { code: "registry_failed", message: /answered 500/ });
    assert.deepEqual(clock.waits, [500, 1000, 2000, 4000]);
    failure = "break";
    await assert.rejects(fetchBlob(repository), { code: "unreachable", message: /broke the connection off/ });
    assert.equal(clock.waits.length, 8);
    const sent = repository.request({ method: "POST", path: "blobs/uploads/", signal });
    await assert.rejects(sent, { code: "unreachable" });
    assert.equal(registry.count("uploads/", "POST"), 1, "what is not repeatable is not repeated");
  }));

test("a registry that hangs is given up, before the answer and within it", () =>
  withRegistry(
    {},
    async ({ open, registry, clock }) => {
      let withHead = false;
      registry.intercepts.push(({ path }, response) => {
        if (!path.includes("/blobs/")) return false;
        if (withHead) response.writeHead(200, { "content-length": 100 }).write("some");
        return true;
      });
      const repository = await open();
      await assert.rejects(fetchBlob(repository), { code: "timed_out", message: /nothing came for 0.05 s/ });
      assert.equal(clock.waits.length, 4);
      withHead = true;
      await assert.rejects(fetchBlob(repository), { code: "timed_out", message: /read from/ });
    },
    { patience: { answerMs: 50, silenceMs: 50 } },
  ));

test("a redirect to another host carries neither password nor headers", () =>
  withRegistry({ secret: "me:secret" }, async ({ registry, remote }) => {
    const other = await HostileRegistry.start();
    try {
      other.blobs.set("x", Buffer.from("elsewhere"));
      registry.intercepts.push(({ path, headers }, response) => {
        if (!path.includes("/blobs/") || headers.authorization === undefined) return false;
        response.writeHead(307, { location: `http://${other.host}/v2/a/blobs/x` }).end();
        return true;
      });
      const repository = await remote.openRepository(parseReference(`${registry.host}/team/web`), {
        actions: "pull",
        attempted: "pull it",
        credentials: { username: "me", password: "secret" },
        headers: { "X-Team": "blue" },
      });
      assert.equal(await fetchBlob(repository), "elsewhere");
      assert.equal(registry.seen.at(-1)?.headers["x-team"], "blue");
      const { authorization, ...headers } = other.seen.at(-1)?.headers ?? {};
      assert.equal(authorization, undefined);
      assert.equal(headers["x-team"], undefined);
      other.intercepts.push((_seen, response) => {
        response.setHeader("www-authenticate", 'Basic realm="give it to me"');
        refuse(response, 401, "UNAUTHORIZED");
        return true;
      });
      await assert.rejects(fetchBlob(repository), { code: "registry_denied" });
      assert.ok(other.seen.every((seen) => seen.headers.authorization === undefined));
    } finally {
      await other.stop();
    }
  }));

test("redirects that go round in circles, or to no address, are refused", () =>
  withRegistry({}, async ({ registry, open }) => {
    let location = "/v2/team/web/blobs/x";
    registry.intercepts.push(({ path }, response) => {
      if (path === "/v2/") return false;
      response.writeHead(302, { location }).end();
      return true;
    });
    const repository = await open();
    await assert.rejects(fetchBlob(repository), { message: /redirects more than 6 times/ });
    for (const bad of ["ftp://127.0.0.1/x", "http://me:secret@127.0.0.1/x"]) {
      location = bad;
      await assert.rejects(fetchBlob(repository), { message: /redirects to what is no address/ });
    }
  }));

test("mirrors are asked first, in their order, and what they do not have comes from the registry", async () => {
  const broken = await HostileRegistry.start();
  const lacking = await HostileRegistry.start();
  const mirrors = new Map([
    ["registry.example.com", [broken, lacking].map(({ host }) => new URL(`http://${host}/p`))],
  ]);
  broken.intercepts.push((_seen, response) => {
    response.destroy();
    return true;
  });
  try {
    await withRegistry(
      {},
      async ({ registry, remote }) => {
        const reference = parseReference("registry.example.com/web");
        const options = { actions: "pull", attempted: "pull it" } as const;
        const repository = await remote.openRepository(reference, options);
        lacking.blobs.set("x", Buffer.from("mirrored"));
        assert.equal(await fetchBlob(repository), "mirrored");
        assert.equal(await fetchBlob(repository), "mirrored");
        assert.equal(broken.seen.length, 2, "a mirror that fails is left out for the rest");
        assert.equal(lacking.seen[0]?.path, "/v2/p/web/blobs/x");
        assert.equal(registry.seen.length, 0);
      },
      { mirrors },
    );
  } finally {
    await Promise.all([broken.stop(), lacking.stop()]);
  }
});

test("a wait ends when nobody waits for it any more", () =>
  withRegistry(
    {},
    async ({ open, registry }) => {
      const caller = new AbortController();
      const reason = new Error("changed my mind");
      registry.intercepts.push(({ path }) => {
        if (!path.includes("/blobs/")) return false;
        caller.abort(reason);
        return true;
      });
      const repository = await open();
      const asked = repository.request({ method: "GET", path: "blobs/x", signal: caller.signal });
      await assert.rejects(asked, (error) => error === reason);
    },
    { clock: systemClock },
  ));

test("headers that belong to the protocol cannot be given", () =>
  withRegistry({}, async ({ remote, registry }) => {
    for (const [name, value] of [
      ["Host", "a"],
      ["Authorization", "Basic eA=="],
      ["X-A", "b\r\nX-C: d"],
      ["no name", "b"],
    ] as const) {
      const options = { actions: "pull", attempted: "pull it", headers: { [name]: value } } as const;
      await assert.rejects(remote.openRepository(parseReference(`${registry.host}/web`), options), {
        code: "invalid_value",
      });
    }
  }));

test("the host that does not answer is told from the one that is not there", async () => {
  const registry = await HostileRegistry.start();
  const { host } = registry;
  await registry.stop();
  const remote = createRemote({ clock: hastyClock(), log: silentLog });
  const options = { actions: "pull", attempted: "pull it" } as const;
  const refused = await remote.openRepository(parseReference(`${host}/web`), options);
  await assert.rejects(fetchBlob(refused), { code: "unreachable", message: /refused the connection/ });
  remote.close();
});

test("credentials are checked without asking for any image", () =>
  withRegistry({ secret: "me:secret" }, async ({ remote, registry }) => {
    await remote.check(registry.host, { username: "me", password: "secret" }, signal);
    await assert.rejects(remote.check(registry.host, { username: "me", password: "no" }, signal), {
      code: "registry_denied",
    });
  }));
