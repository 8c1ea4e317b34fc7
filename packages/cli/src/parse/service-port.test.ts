import assert from "node:assert/strict";
import { test } from "node:test";
import { collectPublished } from "./published.ts";
import { collectServicePorts, parseServicePort } from "./service-port.ts";

test("handlers make a service; 443 alone is HTTPS with a redirect", () => {
  assert.deepEqual(parseServicePort("5432:5433/tls"), [
    { port: 5432, destination_port: 5433, handlers: ["tls"] },
  ]);
  assert.deepEqual(parseServicePort("443:8080/http+tls+proxy"), [
    { port: 443, destination_port: 8080, handlers: ["http", "tls", "proxy"] },
  ]);
  assert.deepEqual(parseServicePort("80:443/redirect+http"), [
    { port: 80, destination_port: 443, handlers: ["redirect", "http"] },
  ]);
  assert.deepEqual(parseServicePort("443/http+tls")?.[0]?.destination_port, 443);
  assert.deepEqual(parseServicePort("443:8080"), [
    { port: 443, destination_port: 8080, handlers: ["http", "tls"] },
    { port: 80, destination_port: 443, handlers: ["http", "redirect"] },
  ]);
});

test("everything else is a port of this machine, as it always was", () => {
  for (const text of ["8080:80", "80:8080", "443", "0.0.0.0:443:8443", "53:53/udp", "443:443/tcp"]) {
    assert.equal(parseServicePort(text), undefined, text);
    assert.deepEqual(collectPublished(text, undefined).services, []);
  }
});

test("what is neither is refused, with the form", () => {
  for (const text of ["443:1/http+x", "0:1/tls", "1:2:3/tls", "443:70000", "1:2/tls/http"]) {
    assert.throws(() => parseServicePort(text), /HANDLER\+HANDLER/, text);
  }
  assert.throws(() => collectServicePorts("8080:80", undefined), /HANDLER/);
});

test("both kinds go together", () => {
  const published = collectPublished("5432:5432/tls", collectPublished("8080:80", undefined));
  assert.deepEqual(
    [published.ports.map((port) => port.host_port), published.services.map((service) => service.port)],
    [[8080], [5432]],
  );
});
