import assert from "node:assert/strict";
import { test } from "node:test";
import { checkPlan } from "./names.ts";
import { pages, pagesMap } from "./pages.ts";
import type { EdgeGroup, EdgePlan } from "./port.ts";
import { configurationFile, render } from "./render.ts";
import { memberCommands } from "./runtime.ts";
import { assignSlots } from "./slots.ts";

const group: EdgeGroup = {
  id: "a1",
  domains: [
    { fqdn: "web.example.com", certificate: "/c/web.pem" },
    { fqdn: "*.shop.example.com", certificate: "/c/shop.pem" },
  ],
  ports: [
    { kind: "http", port: 443, destinationPort: 8080, tls: true, proxy: false },
    { kind: "redirect", port: 80, toPort: 443 },
    { kind: "tcp", port: 5432, destinationPort: 5432, tls: true, proxy: false },
  ],
  softLimit: 2,
  hardLimit: 20,
  members: [
    { id: "m1", address: "10.0.0.1", state: "awake" },
    { id: "m2", address: "10.0.0.2", state: "asleep" },
  ],
};
const plan: EdgePlan = { groups: [group], defaultCertificate: "/c/default.pem" };

const options = {
  bind: "127.0.0.1",
  statsSocket: "/e/stats",
  emptyDirectory: "/e/empty",
  uid: 7,
  proxies: [],
  certificateFile: (path: string) => path.replace("/c/", "copy-"),
};

const fileOf = (name: string, of: EdgePlan = plan): string =>
  render(of, assignSlots(of, {}), options).get(name) ?? "";

/** The lines of one section, without indentation. */
function section(name: string, of: EdgePlan = plan): string[] {
  const lines = fileOf(configurationFile, of).split("\n");
  const start = lines.indexOf(name);
  assert.ok(start >= 0, `no section '${name}'`);
  const rest = lines.slice(start + 1);
  return rest
    .slice(
      0,
      rest.findIndex((line) => !line.startsWith(" ")),
    )
    .map((line) => line.trim());
}

test("each port has one frontend, with TLS where the handler says so", () => {
  assert.ok(section("frontend port-443").some((line) => /^bind 127\.0\.0\.1:443 ssl .* alpn h2/.test(line)));
  assert.ok(section("frontend port-80").includes("bind 127.0.0.1:80"));
  assert.ok(section("frontend port-5432").includes("mode tcp"));
});

test("names lead to the group of the port, or to the redirection", () => {
  assert.match(fileOf("hosts-443.map"), /^web\.example\.com http\.a1\.8080$/m);
  assert.match(fileOf("hosts-443.map"), /^\*\.shop\.example\.com http\.a1\.8080$/m);
  assert.match(fileOf("hosts-80.map"), /^web\.example\.com redirect$/m);
  assert.match(fileOf("hosts-5432.map"), /^web\.example\.com tcp\.a1\.5432$/m);
});

test("answers to validations are looked for while there are any, and on port 80 alone", () => {
  const challenges = [{ kind: "http", fqdn: "web.example.com", token: "t", answer: "a" }] as const;
  const looks = (port: number, of: EdgePlan) =>
    section(`frontend port-${port}`, of).some((line) => line.includes("acme-challenge"));
  assert.ok(looks(80, { ...plan, challenges }));
  assert.ok(!looks(443, { ...plan, challenges }));
  assert.ok(!looks(80, plan));
});

test("the default certificate comes first, then one for each name", () => {
  assert.deepEqual(fileOf("certificates-443.list").split("\n"), [
    "copy-default.pem",
    "copy-web.pem web.example.com",
    "copy-shop.pem *.shop.example.com",
    "",
  ]);
});

test("a member is in use in one half only: among the awake or among the sleepers", () => {
  const used = (name: string) =>
    section(name).filter((line) => line.startsWith("server ") && !line.endsWith("disabled"));
  assert.match(
    used("backend http.a1.8080").join("\n"),
    /^server a1\.s1 10\.0\.0\.1:8080 [^\n]*\nserver a1\.twin 10\.0\.0\.1:8080 [^\n]*$/,
  );
  assert.match(used("backend http.a1.8080.asleep").join("\n"), /^server a1\.s2 10\.0\.0\.2:8080 [^\n]*$/);
});

test("what would not stay one word is refused, whatever it is", () => {
  const hostile: EdgePlan[] = [
    { ...plan, groups: [{ ...group, id: "a\n  server x 1.2.3.4:1" }] },
    { ...plan, groups: [{ ...group, id: "a b" }] },
    ...["x\ny", "a b.example.com", "a%[src]", 'a"b', "*.*.example.com", "", "é.example.com", "a.-b"].map(
      (fqdn) => ({ ...plan, groups: [{ ...group, domains: [{ fqdn, certificate: "/c/x.pem" }] }] }),
    ),
    ...["localhost", "10.0.0.1 backup", "::1"].map((address) => ({
      ...plan,
      groups: [{ ...group, members: [{ id: "m", address, state: "awake" as const }] }],
    })),
    { ...plan, groups: [{ ...group, softLimit: 0.5 }] },
    { ...plan, groups: [{ ...group, ports: [{ kind: "redirect", port: 70_000, toPort: 443 }] }] },
  ];
  checkPlan(plan);
  for (const each of hostile) assert.throws(() => checkPlan(each), { code: "invalid_value" });
});

test("each page is one line, and the JSON one parses", () => {
  const lines = pagesMap().trimEnd().split("\n");
  assert.equal(lines.length, Object.keys(pages).length * 2);
  for (const line of lines) {
    const [key = "", ...words] = line.split(" ");
    if (key.endsWith("-json")) assert.equal(JSON.parse(words.join(" ")).status, "error");
    else assert.ok(words.join(" ").startsWith("<!doctype html>"), key);
  }
});

test("whoever has a place keeps it; a newcomer takes one that was free before", () => {
  const members = (...ids: string[]) =>
    ids.map((id) => ({ id, address: "10.0.0.1", state: "awake" as const }));
  const planOf = (...ids: string[]): EdgePlan => ({
    ...plan,
    groups: [{ ...group, members: members(...ids) }],
  });
  const first = assignSlots(planOf("x", "y"), {});
  assert.deepEqual(first["a1"], ["x", "y", null, null]);
  const second = assignSlots(planOf("y", "z"), first);
  assert.deepEqual(second["a1"], [null, "y", "z", null]);
  const more = assignSlots(planOf("y", "z", "a", "b", "c"), second);
  assert.equal(more["a1"]?.length, 8);
  assert.deepEqual(more["a1"]?.slice(1, 3), ["y", "z"]);
});

test("whoever comes into use does so before others go out of it", () => {
  const commands = memberCommands(plan, assignSlots(plan, {}));
  const isReady = (command: string) => command.endsWith(" state ready");
  const away = commands.findIndex((command) => command.endsWith(" state maint"));
  assert.ok(commands.slice(0, away).includes("set server http.a1.8080.asleep/a1.s2 state ready"));
  assert.ok(commands.slice(0, away).includes("set server http.a1.8080/a1.s1 state ready"));
  assert.ok(away > 0 && !commands.slice(away).some(isReady), commands.join("\n"));
});
