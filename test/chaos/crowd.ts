/** A service group whose members come and go with its load, while they, the daemon and the edge are killed. */
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { edgeClient } from "../kit/load.ts";
import { kill, machinesOf, pidsOf } from "../kit/processes.ts";
import { until } from "../kit/until.ts";
import { Family } from "./family.ts";
import { answerOf, type World } from "./world.ts";

const most = 3;

export async function crowd({ daemon, random, note, excuse }: World): Promise<void> {
  const family = new Family(daemon);
  const base = family.newName();
  await family.found(base);
  assert.equal(await family.turnIntoTemplate(base), "done");
  await daemon.ok([
    "services",
    "create",
    "crowd",
    "-p",
    "443:8080",
    "--domain",
    "crowd",
    "--soft-limit",
    "1",
  ]);
  await daemon.ok(["scale", "set", "crowd", "--template", base, "--min", "1", "--max", `${most}`]);
  await daemon.ok(["scale", "policy", "add", "crowd", "now", "--on-demand"]);
  await daemon.ok(["scale", "policy", "add", "crowd", "quiet", "--idle", "2s"]);
  const fqdn: string = (await daemon.json(["services", "get", "crowd"])).domains[0].fqdn;
  const ca = await daemon.ok(["ca", "export"]);
  const clients = [1, 2, 3, 4].map((number) => edgeClient(`crowd ${number}`, fqdn, ca, number > 2));
  const [first] = clients;
  assert.ok(first !== undefined);
  const page = await answerOf(first);
  const membersOf = async (): Promise<string[]> => {
    const { body } = await daemon.rest("GET", "/instances");
    const all: { uuid: string; name: string; service_group?: { name: string } }[] = body.data.instances;
    return all.filter((one) => one.service_group?.name === "crowd").map(({ uuid }) => uuid);
  };
  const check = async () => {
    for (const client of clients)
      assert.equal(await answerOf(client), page, "members have the template's memory");
    const members = await membersOf();
    assert.ok(members.length <= most, `${members.length} members`);
  };
  const faults: readonly (readonly [string, () => Promise<void>])[] = [
    ["a member is killed", async () => kill((await membersOf()).slice(0, 1).flatMap(machinesOf))],
    [
      "the daemon is killed",
      async () => {
        await daemon.kill();
        await pause(random() * 500);
        await daemon.start();
      },
    ],
    [
      "its edge is killed",
      () =>
        excuse(/: edge/, async () => {
          const before = pidsOf("haproxy");
          kill(before);
          await until("the edge is back", () => pidsOf("haproxy").some((pid) => !before.includes(pid)));
          await check();
          await pause(100);
        }),
    ],
    [
      "a member is removed",
      async () => void (await daemon.uni(["rm", "-f", (await membersOf())[0] ?? "nobody"])),
    ],
  ];
  for (const [what, happen] of faults) {
    const asking = Promise.all(clients.map((client) => client.ask().catch(() => undefined)));
    note(what);
    await happen();
    await asking;
    await check();
  }
  await until("those without work go", async () => (await membersOf()).length === 1);
  await daemon.ok(["scale", "rm", "crowd"]);
  await until("all members are gone", async () => (await membersOf()).length === 0);
  for (const client of clients) client.close();
  await daemon.ok(["services", "rm", "crowd"]);
  await family.end();
}
