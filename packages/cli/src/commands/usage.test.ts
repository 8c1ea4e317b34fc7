import assert from "node:assert/strict";
import { test } from "node:test";
import { Command } from "commander";
import { runUni } from "../../../../test/kit/run-uni.ts";
import { commandTable } from "../command-table.ts";
import type { CommandEntry, CommandModule } from "../define.ts";
import { fillCommand, type ProgramOptions } from "../program.ts";
import { cliVersion } from "../version.ts";

const options: ProgramOptions = {
  entries: commandTable,
  makeContext() {
    throw new Error("no command is run here");
  },
  onStatus() {},
  version: "0",
};

interface Loaded {
  readonly path: string;
  readonly entry: CommandEntry;
  readonly module: CommandModule;
  readonly command: Command;
}

async function loadAll(entries: readonly CommandEntry[], prefix: string): Promise<Loaded[]> {
  const all: Loaded[] = [];
  for (const entry of entries) {
    const module = await entry.load();
    const command = new Command(entry.name);
    await fillCommand(command, module, options);
    const path = `${prefix} ${entry.name}`;
    all.push({ path, entry, module, command }, ...(await loadAll(module.subcommands ?? [], path)));
  }
  return all;
}

const commands = await loadAll(commandTable, "uni");

test("every command has examples that are its own, and a summary", () => {
  for (const { path, entry, module } of commands) {
    assert.ok(module.examples.length > 0, path);
    assert.ok(
      module.examples.some((example) => example.includes(path)),
      `${path}: ${module.examples}`,
    );
    assert.match(entry.summary, /^[a-z].*[^.]$/, path);
  }
});

test("every command takes the global options, and every option says what it does", () => {
  for (const { path, command } of commands) {
    const long = command.options.map((option) => option.long);
    assert.equal(new Set(long).size, long.length, `${path} has an option twice`);
    for (const wanted of ["--output", "--quiet", "--socket", "--no-color"]) {
      assert.ok(long.includes(wanted), `${path} lacks ${wanted}`);
    }
    for (const option of command.options) assert.notEqual(option.description, "", `${path} ${option.flags}`);
  }
});

test("names and aliases are given once", () => {
  const names = commandTable.flatMap((entry) => [entry.name, ...(entry.aliases ?? [])]);
  assert.equal(new Set(names).size, names.length);
});

test("uni --help shows groups and examples, and no hidden command", async () => {
  const { code, stdout } = await runUni(["--help"]);
  assert.equal(code, 0);
  for (const { group, name, hidden } of commandTable) {
    assert.ok(stdout.includes(group));
    assert.equal(new RegExp(`^ {2}${name}\\b`, "m").test(stdout), hidden !== true, name);
  }
  assert.match(stdout, /Examples:\n {2}\$ uni build/);
  assert.ok(stdout.split("\n").findIndex((line) => line.startsWith("  run ")) < 10, "commands come first");
  assert.match(stdout, /^Every command takes --socket, .*-o/m);
  assert.doesNotMatch(stdout, /--socket <path>/);
});

test("a command's help shows its options and examples", async () => {
  for (const args of [
    ["run", "--help"],
    ["help", "run"],
    ["run", "-h"],
  ]) {
    const { code, stdout } = await runUni(args);
    assert.equal(code, 0);
    assert.match(stdout, /Usage: uni run \[options\] \[image\] \[args\.\.\.\]/);
    assert.match(stdout, /--memory <size>/);
    assert.match(stdout, /always, missing or never \(default: missing\)/);
    assert.match(
      stdout,
      /^Options:[\s\S]*--name[\s\S]*^What it is made of:[\s\S]*^Sleep:[\s\S]*^Services:[\s\S]*^Global/m,
    );
    assert.match(stdout, /Examples:\n {2}\$ uni run hello/);
  }
  assert.match((await runUni(["kernel", "use", "--help"])).stdout, /uni kernel use \[options\] <version>/);
});

test("a group's help shows its commands, and nothing of the daemon's", async () => {
  const { stderr } = await runUni(["image"]);
  assert.match(stderr, /^Commands:\n {2}ls .*[\s\S]*^ {2}help \[command\]/m);
  assert.doesNotMatch(stderr, /Daemon:|--socket <path>/);
});

test("usage errors have status 64, and -o json has them as values", async () => {
  for (const args of [
    [],
    ["nothing"],
    ["ps", "--nothing"],
    ["run"],
    ["ps", "-o", "xml"],
    ["kernel"],
    ["kernel", "fly"],
  ]) {
    const { code, stdout } = await runUni(args);
    assert.deepEqual([code, stdout], [64, ""], args.join(" "));
  }
  const { stderr } = await runUni(["ps", "--nothing", "-o", "json"]);
  assert.equal(JSON.parse(stderr).error.code, "malformed");
  assert.equal(
    (await runUni(["imagess"])).stderr,
    "Error: reading the command line: unknown command 'imagess'\nHint: Did you mean images?\n",
  );
  assert.match((await runUni(["ps", "--nothing"])).stderr, /\nHint: See uni ps --help\.\n$/);
});

test("what Docker's users type is done, or answered with what to type here", async () => {
  const hint = async (...args: string[]) => /Hint: (.*)/.exec((await runUni(args)).stderr)?.[1];
  assert.match((await hint("pause", "web")) ?? "", /^uni suspend NAME/);
  assert.match((await hint("run", "--volume=/a:/b", "hello")) ?? "", /^There are no volumes yet/);
  assert.match((await hint("images", "--format", "{{.ID}}")) ?? "", /^-o json/);
  assert.match((await runUni(["container", "ls", "--help"])).stdout, /Usage: uni ps\|ls /);
  assert.deepEqual((await runUni(["help", "nothing"])).stderr, (await runUni(["nothing"])).stderr);
});

test("--version is this program's", async () => {
  for (const option of ["--version", "-V", "-v"]) {
    assert.equal((await runUni([option])).stdout, `${cliVersion}\n`, option);
  }
});
