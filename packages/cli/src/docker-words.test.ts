import assert from "node:assert/strict";
import { test } from "node:test";
import { commandTable } from "./command-table.ts";
import { hintForCommand, hintForOption, ownWords } from "./docker-words.ts";

test("commands of Docker's groups are Uni's own", () => {
  for (const [typed, own] of [
    ["container ls -a", "ps -a"],
    ["container rm -f web", "rm -f web"],
    ["instance get web", "inspect web"],
    ["image rm hello", "rmi hello"],
    ["image ls", "images"],
    ["image ls -q", "images -q"],
    ["system df -o json", "df -o json"],
    ["builder prune", "prune --build-cache"],
  ] as const) {
    assert.deepEqual(ownWords(typed.split(" ")), own.split(" "), typed);
  }
});

test("what is Uni's own stays, and so does what it does not know", () => {
  for (const typed of [
    "ps -a",
    "image ls hello:/etc",
    "image cat hello:/etc/hostname",
    "image --help",
    "system fly",
    "container",
    "container prune",
    "exec web container ls",
  ]) {
    assert.deepEqual(ownWords(typed.split(" ")), typed.split(" "));
  }
});

test("no hint stands in the way of a command that there is", () => {
  for (const { name, aliases = [] } of commandTable) {
    for (const each of [name, ...aliases]) assert.equal(hintForCommand(each), undefined, each);
  }
  assert.equal(hintForCommand("constructor"), undefined);
});

test("options that are not there have a hint, alone, in a cluster and with a value", () => {
  const volumes = hintForOption("run", "-dv");
  assert.match(volumes ?? "", /no volumes yet/);
  assert.equal(hintForOption("create", "--mount"), volumes);
  assert.match(hintForOption("run", "--network=host") ?? "", /address of its own/);
  assert.equal(hintForOption("ps", "--network"), undefined);
  assert.equal(hintForOption("ps", "--constructor"), undefined);
});
