import assert from "node:assert/strict";
import { test } from "node:test";
import { frameOf, readListing } from "./nft-listing.ts";
import { ruleComment, type Table } from "./ruleset.ts";

const rule = { text: 'iifname != "lo" accept', note: "not the loopback" };

const table: Table = {
  family: "inet",
  name: "uni_abcd",
  sets: [
    { kind: "set", name: "siblings", key: ["ipv4_addr", "ipv4_addr"], interval: true },
    { kind: "map", name: "ports", key: ["inet_proto", "inet_service"], value: ["ipv4_addr", "inet_service"] },
    { kind: "set", name: "guests", key: ["ifname", "ether_addr", "ipv4_addr"] },
  ],
  chains: [
    {
      name: "input",
      hook: { type: "filter", hook: "input", priority: 0 },
      rules: [rule, { text: "drop", note: "rest" }],
    },
    { name: "plain", rules: [] },
  ],
};

/** As nft 1.0.6 lists the table above, without handles. */
const inTable = { family: "inet", table: "uni_abcd" };
const listedRules = [
  { rule: { ...inTable, chain: "input", comment: ruleComment(rule), expr: [] } },
  { rule: { ...inTable, chain: "input", comment: ruleComment({ text: "drop", note: "rest" }), expr: [] } },
];
const listed = [
  { metainfo: { version: "1.0.6" } },
  { table: { family: "inet", name: "uni_abcd" } },
  {
    set: {
      ...inTable,
      name: "siblings",
      type: ["ipv4_addr", "ipv4_addr"],
      flags: ["interval"],
      elem: [
        { concat: [{ prefix: { addr: "10.1.0.0", len: 22 } }, { prefix: { addr: "10.1.4.0", len: 22 } }] },
      ],
    },
  },
  {
    map: {
      ...inTable,
      name: "ports",
      type: ["inet_proto", "inet_service"],
      map: "ipv4_addr . inet_service",
      elem: [[{ concat: ["tcp", 8080] }, { concat: ["10.1.0.1", 80] }]],
    },
  },
  {
    set: {
      ...inTable,
      name: "guests",
      type: ["ifname", "ether_addr", "ipv4_addr"],
      elem: [{ concat: ["uabcd-0001", "02:75:0a:01:00:01", "10.1.0.1"] }],
    },
  },
  { chain: { ...inTable, name: "input", type: "filter", hook: "input", prio: 0, policy: "accept" } },
  { chain: { ...inTable, name: "plain" } },
];

test("a listing of our table has our frame, and its elements as we write them", () => {
  const listing = readListing("inet", [...listed, ...listedRules]);
  assert.deepEqual(listing.frame, frameOf(table));
  assert.deepEqual(listing.elements, [
    { family: "inet", set: "siblings", key: "10.1.0.0/22 . 10.1.4.0/22" },
    { family: "inet", set: "ports", key: "tcp . 8080", value: "10.1.0.1 . 80" },
    { family: "inet", set: "guests", key: '"uabcd-0001" . 02:75:0a:01:00:01 . 10.1.0.1' },
  ]);
});

test("a rule that is gone, new, moved or changed shows", () => {
  const [first, second] = listedRules;
  const foreign = { rule: { ...inTable, chain: "input", expr: [] } };
  const changed = { rule: { ...inTable, chain: "input", comment: "not the loopback (000000)", expr: [] } };
  for (const rules of [[first], [second, first], [foreign, first, second], [changed, second]]) {
    assert.notDeepEqual(readListing("inet", [...listed, ...rules]).frame, frameOf(table));
  }
});

test("a set of another type, or a chain at another hook, shows", () => {
  const otherSet = { set: { ...inTable, name: "guests", type: "ifname" } };
  const otherChain = { chain: { ...inTable, name: "input", type: "filter", hook: "input", prio: 10 } };
  const without = (name: string) =>
    listed.filter(
      (item) =>
        !("set" in item && item.set?.name === name) && !("chain" in item && item.chain?.name === name),
    );
  assert.notDeepEqual(
    readListing("inet", [...without("guests"), otherSet, ...listedRules]).frame,
    frameOf(table),
  );
  assert.notDeepEqual(
    readListing("inet", [...without("input"), otherChain, ...listedRules]).frame,
    frameOf(table),
  );
});
