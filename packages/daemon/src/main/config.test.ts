import assert from "node:assert/strict";
import { resolve } from "node:path";
import { test } from "node:test";
import { UniError } from "@uni/contract/errors";
import { readConfig, usage } from "./config.ts";

test("options win over the environment, which wins over the defaults", () => {
  const command = readConfig(["--data-dir", "here", "--listen", "off"], {
    UNI_DATA_DIR: "/elsewhere",
    UNI_SOCKET: "/run/s",
  });
  assert.ok(command.kind === "run");
  const { dataDirectory, socketPath, listen, cacheDirectory } = command.config;
  assert.deepEqual(
    [dataDirectory, socketPath, listen, cacheDirectory],
    [resolve("here"), "/run/s", undefined, "/var/cache/uni"],
  );
});

test("a path that is empty is not the directory that one happens to be in", () => {
  for (const args of [
    ["--data-dir", ""],
    ["--socket", ""],
    ["--cache-dir", ""],
  ]) {
    assert.throws(
      () => readConfig(args, {}),
      (error) => error instanceof UniError && / is empty$/.test(error.message),
      args.join(" "),
    );
  }
  assert.throws(() => readConfig([], { UNI_DATA_DIR: "" }), / is empty$/);
});

test("what is no option, no address or no level is refused with a hint where there is more to say", () => {
  for (const args of [
    ["--bogus"],
    ["--data-dir"],
    ["extra"],
    ["--listen", "1234"],
    ["--log-level", "loud"],
    ["--log-format", "xml"],
  ]) {
    assert.throws(() => readConfig(args, {}), UniError, args.join(" "));
  }
});

test("names of services lie below a domain of at least two labels", () => {
  const domainOf = (...args: string[]) => {
    const command = readConfig(args, { UNI_DOMAIN: args.length === 0 ? undefined : "apps.example.com" });
    return command.kind === "run" ? command.config.domain : undefined;
  };
  assert.equal(domainOf(), "uni.localhost");
  assert.equal(domainOf("--listen", "off"), "apps.example.com");
  assert.equal(domainOf("--domain", "Cloud.Example.com."), "cloud.example.com");
  for (const wrong of ["localhost", "*.example.com", "a b.c", ""]) {
    assert.throws(() => domainOf("--domain", wrong), UniError, wrong);
  }
});

test("services are published on an IPv4 address, all of them by default", () => {
  const bindOf = (args: string[], env = {}) => {
    const command = readConfig(args, env);
    assert.ok(command.kind === "run");
    return command.config.edgeBind;
  };
  assert.equal(bindOf([]), "0.0.0.0");
  assert.equal(bindOf(["--edge-bind", "127.0.0.1"], { UNI_EDGE_BIND: "10.0.0.1" }), "127.0.0.1");
  for (const text of ["", "localhost", "::", "127.0.0.1:80"]) {
    assert.throws(() => readConfig(["--edge-bind", text], {}), { code: "invalid_value" }, text);
  }
});

test("balancers before the edge are networks of IPv4 addresses, or single ones", () => {
  const proxiesOf = (text: string) => {
    const command = readConfig(["--edge-proxies", text], {});
    assert.ok(command.kind === "run");
    return command.config.edgeProxies;
  };
  assert.deepEqual(proxiesOf(""), []);
  assert.deepEqual(proxiesOf("10.0.0.5,10.1.0.0/16"), ["10.0.0.5", "10.1.0.0/16"]);
  for (const text of ["10.0.0.0/33", "10.0.0", "::1", "a.example.com", "10.0.0.1/8/8", "10.0.0.1 if TRUE"]) {
    assert.throws(() => proxiesOf(text), { code: "invalid_value" }, text);
  }
});

test("pulled images stay for a number of days, or for good", () => {
  const daysOf = (...args: string[]) => {
    const command = readConfig(args, {});
    return command.kind === "run" ? command.config.pruneImagesAfterMs / 86_400_000 : undefined;
  };
  assert.deepEqual([daysOf(), daysOf("--prune-images-after", "0")], [30, 0]);
  assert.equal(daysOf("--prune-images-after", "1.5"), 1.5);
  for (const wrong of ["-1", "a", "", "99999"]) {
    assert.throws(() => daysOf(`--prune-images-after=${wrong}`), UniError, wrong);
  }
});

test("the help is aligned and fits 100 columns, and each variable stands below its option", () => {
  const lines = usage.split("\n");
  for (const line of lines) assert.ok(line.length <= 100, line);
  const options = lines.filter((line) => /^ {2}-/.test(line));
  assert.ok(options.length > 20);
  for (const line of options) assert.match(line, /^ {2}(-\w, )?--[\w-]+( \S+)? +\S/);
  for (const line of options) assert.match(line.slice(31), /^ {2}\S/, line);
  for (const line of lines.filter((each) => /\(UNI_/.test(each))) assert.match(line, /^ {33}\(UNI_/);
});

test("an option that is nearly right is told", () => {
  const refused = (args: readonly string[], hint: string) =>
    assert.throws(() => readConfig(args, {}), { code: "malformed", hint });
  refused(["--data-dri", "x"], "Did you mean --data-dir?");
  refused(["--nonsense"], "See unid --help.");
  refused(["web"], "See unid --help.");
  assert.deepEqual(readConfig(["-h"], {}), { kind: "help" });
});
