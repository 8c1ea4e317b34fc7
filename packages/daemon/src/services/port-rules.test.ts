import assert from "node:assert/strict";
import { test } from "node:test";
import type { Service } from "@uni/contract/resources/service-parts";
import { readServices } from "./port-rules.ts";

test("what is allowed comes out in one form", () => {
  assert.deepEqual(
    readServices([
      { port: 443, destination_port: 8080, handlers: ["tls", "http", "tls"] },
      { port: 80, handlers: ["http", "redirect"] },
      { port: 5432, handlers: ["tls"] },
    ]),
    [
      { port: 443, destinationPort: 8080, handlers: ["http", "tls"] },
      { port: 80, destinationPort: 443, handlers: ["http", "redirect"] },
      { port: 5432, destinationPort: 5432, handlers: ["tls"] },
    ],
  );
  assert.deepEqual(readServices([{ port: 80, destination_port: 3000, handlers: ["http"] }])[0], {
    port: 80,
    destinationPort: 3000,
    handlers: ["http"],
  });
});

const refusals: readonly [string, readonly Service[], RegExp][] = [
  ["nothing", [], /at least one/],
  ["80 without http", [{ port: 80 }], /Port 80 needs the handler 'http'/],
  ["80 with tls", [{ port: 80, handlers: ["http", "tls"] }], /Port 80 cannot have the handler 'tls'/],
  ["443 without http", [{ port: 443, handlers: ["tls"] }], /Port 443 needs the handler 'http'/],
  ["443 without tls", [{ port: 443, handlers: ["http"] }], /Port 443 needs the handler 'tls'/],
  ["redirect on 443", [{ port: 443, handlers: ["http", "tls", "redirect"] }], /only port 80 redirects/],
  [
    "redirect with proxy",
    [{ port: 80, handlers: ["http", "redirect", "proxy"] }],
    /nobody to tell in the PROXY protocol/,
  ],
  ["redirect elsewhere", [{ port: 80, destination_port: 8443, handlers: ["http", "redirect"] }], /443 only/],
  ["clear text", [{ port: 5432 }], /Port 5432 needs the handler 'tls'/],
  ["http elsewhere", [{ port: 8080, handlers: ["http", "tls"] }], /only ports 80 and 443/],
  ["twice", [80, 80].map((port) => ({ port, handlers: ["http" as const] })), /published twice/],
  ["udp", [{ port: 53, protocol: "udp", ip: "192.0.2.1" }], /carries no UDP/],
  ["an address", [{ port: 5432, ip: "192.0.2.1", handlers: ["tls"] }], /for UDP only/],
];

for (const [name, services, message] of refusals) {
  test(`refused: ${name}`, () => assert.throws(() => readServices(services), message));
}
