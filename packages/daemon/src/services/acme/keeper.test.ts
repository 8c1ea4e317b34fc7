/** When certificates are asked for, with an authority of the test's own and time that stands still. */
import assert from "node:assert/strict";
import { createPrivateKey, webcrypto } from "node:crypto";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { until } from "../../../../../test/kit/until.ts";
import { silentLog } from "../../base/log.ts";
import { CertificateFiles } from "../certificate-files.ts";
import { Certificates } from "../certificates.ts";
import type { AcmeProgress, CertificateRecord } from "../record.ts";
import { ServiceGroups } from "../service-groups.ts";
import { account, makePlace, makeRoot, nodeDomain, plainSpec } from "../test-groups.ts";
import { loadX509 } from "../x509-library.ts";
import { AccountKey } from "./account-key.ts";
import { makeKey } from "./certificate-request.ts";
import { ChallengeBoard } from "./challenge-board.ts";
import { AcmeKeeper } from "./keeper.ts";
import { AcmeProblem } from "./problem.ts";
import type { AcmeAuthority, Reply } from "./session.ts";

const fqdn = "www.example.com";
const dayMs = 86_400_000;
const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const domains = [{ name: `${fqdn}.`, certificate: null }];

/** One group with a full name, and an authority that believes it; `refusal` is what it says instead. */
async function setUp(context: TestContext) {
  const { directory, db, clock } = await makePlace(context);
  const files = new CertificateFiles(join(directory, "edge", "certificates"));
  const certificates = await Certificates.open(db, files);
  const groups = await ServiceGroups.open(db, nodeDomain);
  const authority = await makeRoot(clock);
  const told = { orders: 0, refusal: undefined as AcmeProblem | undefined, applied: 0 };

  /** For the key of the request, in force from now for ninety days. */
  async function sign(csr: string): Promise<string> {
    const x509 = await loadX509();
    const request = new x509.Pkcs10CertificateRequest(Buffer.from(csr, "base64url"));
    const root = new x509.X509Certificate(authority.certificate);
    const der = createPrivateKey(authority.key).export({ type: "pkcs8", format: "der" });
    const leaf = await x509.X509CertificateGenerator.create({
      serialNumber: "02",
      subject: `CN=${fqdn}`,
      issuer: root.subjectName,
      notBefore: new Date(clock.now()),
      notAfter: new Date(clock.now() + 90 * dayMs),
      publicKey: request.publicKey,
      signingKey: await webcrypto.subtle.importKey("pkcs8", der, algorithm, false, ["sign"]),
      signingAlgorithm: algorithm,
      extensions: [new x509.SubjectAlternativeNameExtension([{ type: "dns", value: fqdn }])],
    });
    return `${leaf.toString("pem")}\n${authority.certificate}`;
  }

  let chain = "";
  const reply = (body: object | string): Reply => ({
    body: typeof body === "string" ? body : JSON.stringify(body),
    location: "order",
    retryAfterMs: undefined,
  });
  const order = (status: string) =>
    reply({ status, authorizations: [], finalize: "finalize", certificate: "certificate" });
  const session: AcmeAuthority = {
    key: new AccountKey(await makeKey()),
    async newOrder() {
      told.orders += 1;
      if (told.refusal !== undefined) throw told.refusal;
      return order("ready");
    },
    async post(url, payload) {
      if (url === "certificate") return reply(chain);
      if (url === "finalize") chain = await sign((payload as { csr: string }).csr);
      return order("valid");
    },
  };
  const keeper = new AcmeKeeper({
    options: { challenge: undefined, dnsHook: undefined },
    session: async () => session,
    certificates,
    groups,
    nodeDomain,
    clock,
    log: silentLog,
    random: () => 0,
    board: new ChallengeBoard(),
    async applyEdge() {
      told.applied += 1;
    },
    async checkPort() {},
  });
  context.after(() => keeper.close());

  /** What falls due now is run, and so is what follows from it. */
  const reach = (what: string, fits: (record: CertificateRecord, acme: AcmeProgress) => boolean) =>
    until(what, async () => {
      await clock.advance(0);
      const [record] = certificates.catalogue.all();
      return record?.acme !== undefined && fits(record, record.acme)
        ? { ...record, acme: record.acme }
        : undefined;
    });
  const publish = () =>
    groups.create({ account, name: "web", spec: { ...plainSpec, domains }, members: [] }, clock.now());
  return { certificates, groups, clock, told, keeper, reach, publish };
}

test("a full name gets a certificate, and another one at two thirds of its life", async (context) => {
  const { told, clock, reach, publish } = await setUp(context);
  await publish();
  const { details, acme } = await reach(
    "it is issued",
    (record) => record.details !== undefined && told.applied > 0,
  );
  assert.equal(details?.notAfter, clock.now() - (clock.now() % 1000) + 90 * dayMs);
  assert.equal(acme.failures, 0);
  await clock.advance(60 * dayMs - 60_000);
  assert.equal(told.orders, 1);
  await clock.advance(120_000);
  const end = details?.notAfter ?? 0;
  await reach("it is renewed", (record) => (record.details?.notAfter ?? 0) > end);
  assert.equal(told.orders, 2);
});

test("a refusal is kept as the reason, and tried again later and later, or when the authority says", async (context) => {
  const { told, clock, reach, publish } = await setUp(context);
  told.refusal = new AcmeProblem("order", { type: "urn:ietf:params:acme:error:caa", detail: "not by us" });
  await publish();
  const first = await reach("it is refused", (_, { failures }) => failures === 1);
  assert.match(first.acme.reason ?? "", /not by us \(caa\)/);
  assert.equal(first.acme.nextAt, clock.now() + 27_000);
  await clock.advance(26_999);
  assert.equal(told.orders, 1);
  told.refusal = new AcmeProblem("order", { detail: "too many" }, 3_600_000);
  await clock.advance(1);
  const second = await reach("it is refused again", (_, { failures }) => failures === 2);
  assert.equal(second.acme.nextAt, clock.now() + 3_600_000);
  told.refusal = undefined;
  await clock.advance(3_600_000);
  const third = await reach(
    "it is issued",
    ({ details }, { failures }) => details !== undefined && failures === 0,
  );
  assert.equal(third.acme.reason, undefined);
});

test("what is asked for by hand comes at once", async (context) => {
  const { told, keeper, reach, publish } = await setUp(context);
  told.refusal = new AcmeProblem("order", { detail: "not now" }, dayMs);
  await publish();
  const { id } = await reach("it is refused", (_, { failures }) => failures === 1);
  told.refusal = undefined;
  await keeper.renew(id);
  await reach("it is issued", ({ details }) => details !== undefined);
});

test("a name that nobody has any more is not asked for", async (context) => {
  const { told, certificates, groups, clock, reach, publish } = await setUp(context);
  told.refusal = new AcmeProblem("order", { detail: "not now" });
  const { id } = await publish();
  await reach("it is refused", (_, { failures }) => failures === 1);
  await groups.remove(id, clock.now());
  await until("it is gone", () => certificates.catalogue.all().length === 0);
  await clock.advance(dayMs);
  assert.equal(told.orders, 1);
});
