import assert from "node:assert/strict";
import { test } from "node:test";
import { type InstanceState, instanceStates } from "@uni/contract/enums";
import { asCertificateId } from "@uni/contract/ids";
import type { Configuration } from "../autoscale/record.ts";
import { policyNamed, withPolicies } from "../autoscale/test-configurations.ts";
import { usersOf } from "./certificate-choice.ts";
import { type EdgeCertificates, edgePlan } from "./edge-plan.ts";
import type { CertificateRecord } from "./record.ts";
import { account, groupRecord, instance, nodeDomain, stranger } from "./test-groups.ts";

const certificate = (id: string, name: string, more: Partial<CertificateRecord> = {}): CertificateRecord => ({
  id: asCertificateId(id),
  sequence: 1,
  account,
  name: id,
  createdAt: 0,
  commonName: name,
  details: { names: [name], subject: "", issuer: "", serialNumber: "1", notBefore: 0, notAfter: 9 },
  acme: undefined,
  ...more,
});
const certificates = (...stored: CertificateRecord[]): EdgeCertificates => ({
  nodeDomain,
  stored,
  path: (id) => `/edge/${id}.pem`,
});
const member = (digit: number, state: InstanceState) => ({
  id: instance(digit),
  name: `web-${digit}`,
  address: `10.0.0.${digit}`,
  state,
  settled: true,
  group: groupRecord().id,
});

test("ports become rules, limits are handed on", () => {
  const services = [
    { port: 443, destinationPort: 8080, handlers: ["http", "tls"] as const },
    { port: 80, destinationPort: 443, handlers: ["http", "redirect"] as const },
    { port: 5432, destinationPort: 5432, handlers: ["tls"] as const },
  ];
  const group = groupRecord({ services, softLimit: 3, hardLimit: 4 });
  const [planned] = edgePlan([group], [], certificates(), () => undefined).groups;
  assert.deepEqual(planned?.ports, [
    { kind: "http", port: 443, destinationPort: 8080, tls: true, proxy: false },
    { kind: "redirect", port: 80, toPort: 443 },
    { kind: "tcp", port: 5432, destinationPort: 5432, tls: true, proxy: false },
  ]);
  assert.deepEqual([planned?.softLimit, planned?.hardLimit], [3, 4]);
});

test("a group that scales says whether requests wait for its first member, and whether its growth is told", () => {
  const now = policyNamed({ name: "now", type: "on_demand", high_watermark: 0.5 });
  const rulesOf = (configuration: Configuration | undefined) => {
    const [planned] = edgePlan([groupRecord()], [], certificates(), () => configuration).groups;
    return [planned?.awaitsMembers, planned?.tellsGrowth];
  };
  assert.deepEqual(rulesOf(undefined), [false, false]);
  assert.deepEqual(rulesOf(withPolicies([now])), [false, true]);
  assert.deepEqual(rulesOf(withPolicies([{ ...now, enabled: false }], { minSize: 0 })), [true, false]);
});

test("members are those that answer or can be woken, each in the group that it belongs to", () => {
  const all = instanceStates.map((state, index) => member(index, state));
  const elsewhere = { ...member(9, "running"), group: asCertificateId("x") as never };
  const [planned] = edgePlan([groupRecord()], [...all, elsewhere], certificates(), () => undefined).groups;
  assert.deepEqual(Object.fromEntries((planned?.members ?? []).map(({ name, state }) => [name, state])), {
    "web-1": "starting",
    "web-2": "awake",
    "web-3": "draining",
    "web-4": "draining",
    "web-6": "asleep",
  });
});

test("each domain has its certificate: the named, the best that fits, or one of the local authority", () => {
  const wide = certificate("wide", "*.example.com");
  const exact = certificate("exact", "www.example.com");
  const theirs = certificate("theirs", "api.example.org", { account: stranger });
  const broken = certificate("broken", "old.example.net", { details: undefined });
  const names = ["web", "www.example.com.", "api.example.com.", "api.example.org.", "old.example.net."];
  const domains = [
    ...names.map((name) => ({ name, certificate: null })),
    { name: "x.example.com.", certificate: exact.id },
  ];
  const group = groupRecord({ domains });
  const [planned] = edgePlan([group], [], certificates(wide, exact, theirs, broken), () => undefined).groups;
  assert.deepEqual(planned?.domains, [
    { fqdn: "web.uni.localhost", certificate: { kind: "local", name: "*.uni.localhost" } },
    { fqdn: "www.example.com", certificate: { kind: "stored", id: "exact", path: "/edge/exact.pem" } },
    { fqdn: "api.example.com", certificate: { kind: "stored", id: "wide", path: "/edge/wide.pem" } },
    { fqdn: "api.example.org", certificate: { kind: "local", name: "api.example.org" } },
    { fqdn: "old.example.net", certificate: { kind: "local", name: "old.example.net" } },
    { fqdn: "x.example.com", certificate: { kind: "stored", id: "exact", path: "/edge/exact.pem" } },
  ]);
  const uploaded = [wide, exact, theirs];
  assert.deepEqual(usersOf(wide.id, [group], nodeDomain, uploaded), [group]);
  assert.deepEqual(usersOf(theirs.id, [group], nodeDomain, uploaded), []);
});
