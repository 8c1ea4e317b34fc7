import assert from "node:assert/strict";
import { test } from "node:test";
import { formatFromArguments, mergeGlobals, resolveTarget } from "./globals.ts";
import { commandName } from "./program.ts";

test("options win over the environment, and the host over the socket", () => {
  const socket = (path: string) => ({ kind: "socket", path });
  assert.deepEqual(resolveTarget({}, {}), socket("/var/run/unid.sock"));
  assert.deepEqual(resolveTarget({}, { UNI_SOCKET: "/env" }), socket("/env"));
  assert.deepEqual(
    resolveTarget({ socket: "/option" }, { UNI_SOCKET: "/env", UNI_HOST: "h:1" }),
    socket("/option"),
  );
  const http = { kind: "http", url: "http://h:1", token: "t" };
  assert.deepEqual(resolveTarget({}, { UNI_HOST: "h:1", UNI_TOKEN: "t", UNI_SOCKET: "/env" }), http);
  assert.deepEqual(resolveTarget({ host: "tcp://h:1/", token: "t" }, {}), http);
  assert.deepEqual(resolveTarget({ host: "unix:///s" }, {}), socket("/s"));
  assert.throws(() => resolveTarget({ host: "http://:bad:" }, {}), { code: "invalid_value" });
});

test("what stands nearest to the command wins", () => {
  assert.deepEqual(mergeGlobals([{ output: "json", quiet: true }, { output: "yaml" }]), {
    output: "yaml",
    quiet: true,
  });
});

test("a command whose -o takes more has the format among it", () => {
  const merged = mergeGlobals([
    { output: "yaml" },
    { output: ["app.tar", "json", "registry.example.com/app"] },
  ]);
  assert.deepEqual(merged, { output: "json" });
  assert.deepEqual(mergeGlobals([{ output: "yaml" }, { output: ["app.tar"] }]), { output: "yaml" });
});

test("the format is known before the arguments are", () => {
  assert.equal(formatFromArguments(["ps", "-o", "json"]), "json");
  assert.equal(formatFromArguments(["--output=yaml", "ps"]), "yaml");
  assert.equal(formatFromArguments(["ps", "-ojson"]), "json");
  assert.equal(formatFromArguments(["exec", "web", "--", "-o", "json"]), "table");
  assert.equal(formatFromArguments(["ps", "-o", "xml"]), "table");
});

test("the command is the first word that is no option and no option's value", () => {
  assert.equal(commandName(["--socket", "ps", "logs"]), "logs");
  assert.equal(commandName(["--socket=x", "-q", "ps", "logs"]), "ps");
  assert.equal(commandName(["-q"]), undefined);
});
