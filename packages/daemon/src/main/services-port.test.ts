import assert from "node:assert/strict";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { UniError } from "@uni/contract/errors";
import { unikraftServicesScenario } from "../../../../test/kit/unikraft-services-scenario.ts";
import { createFakeCore, fakeAccount, fakeToken } from "../api/fake-core.ts";
import { startHttp } from "../api/http.ts";
import { systemClock } from "../base/clock.ts";
import { silentLog } from "../base/log.ts";
import { CertificateFiles } from "../services/certificate-files.ts";
import { Certificates } from "../services/certificates.ts";
import { LocalCa } from "../services/local-ca.ts";
import { ServiceGroups } from "../services/service-groups.ts";
import {
  account,
  instance,
  makeMaterial,
  makePlace,
  makeRoot,
  nodeDomain,
  stranger,
} from "../services/test-groups.ts";
import { createCertificatesPort, createLocalCaPort, createServicesPort } from "./services-port.ts";

async function open(context: TestContext, taken: readonly number[] = []) {
  const place = await makePlace(context);
  const { db, directory, clock } = place;
  const groups = await ServiceGroups.open(db, nodeDomain);
  const certificates = await Certificates.open(db, new CertificateFiles(join(directory, "certificates")));
  const renew = () => Promise.resolve();
  const shared = { groups, certificates, nodeDomain, clock, obtainsWildcards: false, renew };
  const nameOf = (id: string) => (id === instance(1) ? "web-1" : undefined);
  const edge = {
    checkPorts(ports: readonly number[]): Promise<void> {
      const port = ports.find((each) => taken.includes(each));
      if (port === undefined) return Promise.resolve();
      return Promise.reject(new UniError("port_in_use", `port ${port} is taken`));
    },
  };
  return {
    ...place,
    groups,
    services: createServicesPort({ ...shared, scales: () => false, nameOf, edge }),
    uploads: createCertificatesPort(shared),
  };
}

const https = { port: 443, destination_port: 8080, handlers: ["tls" as const, "http" as const] };

test("the published SDK drives the real groups and certificates", async (context) => {
  assert.equal(account, fakeAccount);
  const { clock, services, uploads } = await open(context);
  const root = await makeRoot(clock);
  const make = () => makeMaterial(root, "*.example.com", clock);
  const core = { ...createFakeCore(), services, certificates: uploads };
  const server = await startHttp(core, { host: "127.0.0.1", port: 0, log: silentLog });
  context.after(() => server.close());
  const url = `http://${server.address}`;
  await unikraftServicesScenario(url, fakeToken, nodeDomain, [await make(), await make()]);
});

test("no group is made whose port somebody else holds", async (context) => {
  const { services } = await open(context, [443]);
  await assert.rejects(services.create(account, { services: [https] }), { code: "port_in_use" });
  const everything = { count: Number.POSITIVE_INFINITY, order: "asc" } as const;
  assert.deepEqual(services.list(account, everything), []);
});

test("a certificate shows who uses it, is shown by them, and stays while they do", async (context) => {
  const { clock, services, uploads } = await open(context);
  const material = await makeMaterial(await makeRoot(clock), "*.example.com", clock);
  const made = await uploads.create(account, { name: "star", common_name: "*.example.com", ...material });
  const domains = [{ name: "www.example.com." }, { name: "web" }];
  const group = await services.create(account, { name: "web", services: [https], domains });
  assert.deepEqual(
    group.domains?.map(({ certificate }) => certificate?.name),
    ["star", undefined],
  );
  assert.deepEqual(uploads.get(account, { name: "star" }).service_groups, [
    { uuid: group.uuid, name: "web" },
  ]);
  await assert.rejects(uploads.delete(account, { uuid: made.uuid }), /'star' is used by web/);
  await services.update(account, { name: "web" }, [
    { prop: "domains", op: "del", value: [{ name: "www.example.com." }] },
  ]);
  await uploads.delete(account, { uuid: made.uuid });
  assert.throws(() => uploads.get(account, { name: "star" }), { code: "not_found" });
});

test("an ended certificate is in state error, with its dates", async (context) => {
  const { clock, uploads } = await open(context);
  const material = await makeMaterial(await makeRoot(clock), "www.example.com", clock);
  const made = await uploads.create(account, { name: "c", common_name: "www.example.com.", ...material });
  assert.deepEqual([made.state, made.common_name], ["valid", "www.example.com"]);
  await clock.advance(31 * 86_400_000);
  const ended = uploads.get(account, { name: "c" });
  assert.deepEqual([ended.state, ended.not_after], ["error", made.not_after]);
});

test("members have their names, and another account sees nothing", async (context) => {
  const { groups, services } = await open(context);
  const { uuid } = await services.create(account, { name: "web", services: [https] });
  await groups.join(groups.catalogue.resolve(account, { uuid }).id, instance(1));
  assert.deepEqual(services.get(account, { uuid }).instances, [{ uuid: instance(1), name: "web-1" }]);
  assert.throws(() => services.get(stranger, { uuid }), { code: "not_found" });
  await assert.rejects(services.update(stranger, { name: "web" }, []), { code: "not_found" });
  await assert.rejects(services.delete(account, { uuid }), { code: "in_use" });
});

test("the local authority tells its domain, and never its key", async (context) => {
  const { directory } = await makePlace(context);
  const localCa = new LocalCa(join(directory, "ca"), "box", systemClock);
  const info = await createLocalCaPort(localCa, nodeDomain).info();
  assert.equal(info.domain, nodeDomain);
  assert.match(info.fingerprint, /^([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
  assert.ok(!JSON.stringify(info).includes("PRIVATE"));
  assert.ok(await stat(join(directory, "ca", "root.key")));
});
