/**
 * What a user of the published package @unikraft/cloud does with service groups and certificates. `material` is a chain and
 * its key for `*.example.com`; a second pair for the same name replaces it.
 */
import assert from "node:assert/strict";
import { UnikraftCloud, UnikraftCloudError } from "@unikraft/cloud";

type Client = InstanceType<typeof UnikraftCloud>;

export interface Material {
  readonly chain: string;
  readonly pkey: string;
}

/** Leaves nothing behind. `domain` is what the server puts below labels. */
export async function unikraftServicesScenario(
  baseUrl: string,
  token: string,
  domain: string,
  [material, renewed]: readonly [Material, Material],
): Promise<void> {
  const client = new UnikraftCloud({ token, baseUrl, controlPlaneUrl: baseUrl });
  const prefix = `sdk-${process.pid}-${Math.trunc(process.uptime() * 1000)}`;
  await groups(client, prefix, domain);
  await certificates(client, prefix, material, renewed);
}

const https = { port: 443, destination_port: 8080, handlers: ["tls" as const, "http" as const] };

async function groups(client: Client, prefix: string, domain: string): Promise<void> {
  const name = `${prefix}-web`;
  const created = await client.services.create({
    name,
    services: [https, { port: 80, destination_port: 443, handlers: ["http", "redirect"] }],
    domains: [{ name: prefix }],
    soft_limit: 5,
  });
  assert.equal(created.name, name);
  assert.deepEqual([created.persistent, created.soft_limit, created.hard_limit], [true, 5, 65_535]);
  assert.equal(created.domains?.[0]?.fqdn, `${prefix}.${domain}`);
  assert.deepEqual(
    created.services?.map(({ port }) => port),
    [443, 80],
  );

  const group = client.services.get({ name });
  await group.update({ hard_limit: 20, soft_limit: 10, autokill: { time_ms: 60_000 } });
  await group
    .edit()
    .add({ domains: [{ name: `${prefix}-too` }], services: [{ port: 5432, handlers: ["tls"] }] })
    .apply();
  await group
    .edit()
    .del({ domains: [{ name: prefix }], services: [{ port: 80 }] })
    .apply();
  const changed = await client.services.get({ uuid: created.uuid });
  assert.deepEqual([changed.soft_limit, changed.hard_limit, changed.autokill?.time_ms], [10, 20, 60_000]);
  assert.deepEqual(
    changed.domains?.map(({ fqdn }) => fqdn),
    [`${prefix}-too.${domain}`],
  );
  assert.deepEqual(
    changed.services?.map(({ port }) => port),
    [443, 5432],
  );

  await client.services.create({ name: `${prefix}-second`, services: [https] });
  for (const pageSize of [1, 100]) {
    const names: string[] = [];
    for await (const each of client.services.list({ pageSize })) {
      if (each.name.startsWith(prefix)) names.push(each.name);
    }
    assert.deepEqual(names, [name, `${prefix}-second`], `page size ${pageSize}`);
  }
  await rejects(
    client.services.create({ name: `${prefix}-x`, services: [https], soft_limit: 3, hard_limit: 2 }),
    400,
  );
  await rejects(client.services.create({ name, services: [https] }), undefined);
  await client.services.delete([{ name }, { name: `${prefix}-second` }]);
  await rejects(client.services.get({ name }), 404);
}

async function certificates(
  client: Client,
  prefix: string,
  material: Material,
  renewed: Material,
): Promise<void> {
  const name = `${prefix}-star`;
  const created = await client.certificates.create({ name, common_name: "*.example.com.", ...material });
  assert.deepEqual([created.name, created.state], [name, "valid"]);
  assert.equal(created.common_name, "*.example.com");
  assert.equal((await client.certificates.get({ uuid: created.uuid })).name, name);
  const updated = await client.certificates.get({ name }).update(renewed);
  assert.equal(updated.uuid, created.uuid);
  const names: string[] = [];
  for await (const each of client.certificates.list()) names.push(each.name);
  assert.ok(names.includes(name));
  await client.certificates.delete({ name });
  await rejects(client.certificates.get({ name }), 404);
}

async function rejects(work: PromiseLike<unknown>, status: number | undefined): Promise<void> {
  await assert.rejects(Promise.resolve(work), (error) => {
    assert.ok(error instanceof UnikraftCloudError, String(error));
    assert.equal(error.status, status, error.message);
    return true;
  });
}
