import assert from "node:assert/strict";
import { test } from "node:test";
import { asCertificateId } from "@uni/contract/ids";
import { account, groupRecord, instance, nodeDomain } from "./test-groups.ts";
import { viewCertificate, viewGroup } from "./view.ts";

const details = {
  names: ["www.example.com"],
  subject: "CN=www.example.com",
  issuer: "CN=Root",
  serialNumber: "0a",
  notBefore: 1_000,
  notAfter: 2_000,
};
const certificate = {
  id: asCertificateId("44444444-4444-4444-8444-444444444444"),
  sequence: 1,
  account,
  name: "www",
  createdAt: 0,
  commonName: "www.example.com",
  acme: undefined,
  details,
};
const names = ["web", "www.example.com."];
const group = groupRecord({ domains: names.map((name) => ({ name, certificate: null })), autokillMs: 5 });

test("a group is shown with whole certificates, its members and its autokill", () => {
  const members = [{ uuid: instance(1), name: "web-1" }];
  const shown = viewGroup(group, {
    nodeDomain,
    now: 1_500,
    certificates: [certificate],
    members,
    scales: false,
  });
  assert.deepEqual(shown.services, [
    { port: 443, destination_port: 8080, protocol: "tcp", handlers: ["http", "tls"] },
  ]);
  assert.deepEqual(shown.domains, [
    { fqdn: "web.uni.localhost" },
    { fqdn: "www.example.com", certificate: viewCertificate(certificate, [], 1_500) },
  ]);
  assert.deepEqual([shown.instances, shown.autokill, shown.autoscale], [members, { time_ms: 5 }, false]);
  assert.equal(shown.created_at, "1970-01-01T00:00:00.000Z");
});

test("a certificate is valid between its dates, and in error without its file", () => {
  const state = (now: number) => viewCertificate(certificate, [], now).state;
  assert.deepEqual(
    [state(999), state(1_000), state(1_999), state(2_000)],
    ["error", "valid", "valid", "error"],
  );
  const lost = viewCertificate({ ...certificate, details: undefined }, [], 1_500);
  assert.deepEqual([lost.state, lost.not_after], ["error", undefined]);
});
