import assert from "node:assert/strict";
import { test } from "node:test";
import { asCertificateId } from "@uni/contract/ids";
import type { ServiceGroupUpdate } from "@uni/contract/resources/service-group";
import { type GroupSurroundings, groupFromRequest } from "./group-spec.ts";
import { updateGroup } from "./group-update.ts";
import type { CertificateRecord } from "./record.ts";
import { account, nodeDomain, plainSpec } from "./test-groups.ts";

const certificate: CertificateRecord = {
  id: asCertificateId("c"),
  sequence: 1,
  account,
  name: "star",
  createdAt: 0,
  commonName: "*.example.com",
  acme: undefined,
  details: {
    names: ["*.example.com"],
    subject: "",
    issuer: "",
    serialNumber: "1",
    notBefore: 0,
    notAfter: 100,
  },
};
const surroundings: GroupSurroundings = {
  nodeDomain,
  now: 50,
  certificates: [certificate],
  obtainsWildcards: false,
  findCertificate: () => certificate.id,
};
const https = { port: 443, handlers: ["tls" as const, "http" as const] };

test("a new group has documented defaults and a generated name", () => {
  const { name, spec } = groupFromRequest({ services: [https] }, false, surroundings);
  assert.match(name, /^[a-z]+-[a-z]+-[a-z0-9]{8}$/);
  assert.deepEqual([spec.persistent, spec.softLimit, spec.hardLimit, spec.autokillMs], [false, 1, 65_535, 0]);
  assert.deepEqual(spec.domains, [{ name, certificate: null }]);
  const named = groupFromRequest({ name: "shop", services: [https] }, true, surroundings);
  assert.match(named.spec.domains[0]?.name ?? "", /^shop-[a-z0-9]{8}$/);
});

test("refused: limits that contradict each other, and domains without the certificate that they need", () => {
  const make = (more: object) => () => groupFromRequest({ services: [https], ...more }, true, surroundings);
  assert.throws(make({ soft_limit: 9, hard_limit: 8 }), /'soft_limit' \(9\) must not be above/);
  assert.throws(make({ domains: [{ name: "*.example.org." }] }), /needs an uploaded certificate/);
  assert.throws(make({ domains: [{ name: "web", certificate: { name: "star" } }] }), /takes no certificate/);
  assert.throws(make({ domains: [{ name: "a.example.org.", certificate: { name: "star" } }] }), {
    code: "certificate_mismatch",
  });
  assert.throws(make({ domains: [{ name: "a" }, { name: "A" }] }), /given twice/);
  const later = { ...surroundings, now: 100 };
  const request = {
    services: [https],
    domains: [{ name: "a.example.com.", certificate: { name: "star" } }],
  };
  assert.throws(() => groupFromRequest(request, true, later), /is not valid/);
  assert.deepEqual(groupFromRequest(request, true, surroundings).spec.domains, [
    { name: "a.example.com.", certificate: certificate.id },
  ]);
  assert.doesNotThrow(make({ domains: [{ name: "*.example.com." }] }));
});

const change = (prop: ServiceGroupUpdate["prop"], op: ServiceGroupUpdate["op"], value?: unknown) =>
  updateGroup(plainSpec, [{ prop, op, value }], surroundings);

test("services are set, added and removed by port", () => {
  assert.deepEqual(
    change("services", "add", [{ port: 80, handlers: ["http", "redirect"] }]).services.map(
      ({ port }) => port,
    ),
    [443, 80],
  );
  assert.deepEqual(change("services", "set", [{ port: 22, handlers: ["tls"] }]).services, [
    { port: 22, destinationPort: 22, handlers: ["tls"] },
  ]);
  assert.throws(() => change("services", "add", [https]), { code: "already_exists" });
  assert.throws(() => change("services", "del", [{ port: 80 }]), { code: "not_found" });
  assert.throws(() => change("services", "del", [{ port: 443 }]), /at least one service/);
});

test("domains are set, added and removed by name", () => {
  assert.deepEqual(
    change("domains", "add", [{ name: "b.example.org." }]).domains.map(({ name }) => name),
    ["web", "b.example.org."],
  );
  assert.deepEqual(change("domains", "set", [{ name: "x" }]).domains, [{ name: "x", certificate: null }]);
  assert.throws(() => change("domains", "del", [{ name: "y" }]), { code: "not_found" });
  assert.throws(() => change("domains", "del", [{ name: "web.uni.localhost." }]), /at least one domain/);
});

test("limits and autokill are set, and go back to their defaults", () => {
  assert.equal(change("soft_limit", "set", 7).softLimit, 7);
  const narrow = { ...plainSpec, softLimit: 5, hardLimit: 10 };
  const lowered = { prop: "hard_limit", op: "set", value: 4 } as const;
  assert.throws(() => updateGroup(narrow, [lowered], surroundings), /must not be above/);
  const both = updateGroup(narrow, [lowered, { prop: "soft_limit", op: "set", value: 3 }], surroundings);
  assert.deepEqual([both.softLimit, both.hardLimit], [3, 4]);
  assert.equal(updateGroup(narrow, [{ prop: "hard_limit", op: "del" }], surroundings).hardLimit, 65_535);
  assert.equal(change("autokill", "set", { time_ms: 5 }).autokillMs, 5);
  assert.equal(change("autokill", "del").autokillMs, 0);
});
