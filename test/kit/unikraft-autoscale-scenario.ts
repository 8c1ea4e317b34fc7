/** What a user of the published package @unikraft/cloud does with autoscale. */
import assert from "node:assert/strict";
import { UnikraftCloud } from "@unikraft/cloud";

/** `template` is there; leaves nothing behind but it. */
export async function unikraftAutoscaleScenario(
  baseUrl: string,
  token: string,
  template: string,
): Promise<void> {
  const client = new UnikraftCloud({ token, baseUrl, controlPlaneUrl: baseUrl });
  const { autoscale } = client.api.platform;
  const name = `sdk-${process.pid}-${Math.trunc(process.uptime() * 1000)}`;
  const services = [{ port: 443, destination_port: 8080, handlers: ["tls" as const, "http" as const] }];
  const { uuid } = await client.services.create({ name, services });
  const policiesOf = async () =>
    (await autoscale.getAutoscaleConfigurationPolicies(uuid)).data.policies?.map(
      ({ policy }) => policy?.name,
    );

  const sizes = { min_size: 1, max_size: 3, warmup_time_ms: 1000, cooldown_time_ms: 1000 };
  const create_args = { template: { name: template } };
  const oneRom = { name: "code", files: [{ path: "text", data: "x" }] };
  const steps = [
    { upper_bound: 200, adjustment: -1 },
    { lower_bound: 200, adjustment: 1 },
  ];
  const busy = { name: "busy", metric: "cpu" as const, adjustment_type: "change" as const, steps };
  const made = await autoscale.createAutoscaleConfigurations({
    body: [{ name, ...sizes, create_args, policies: [busy] }],
  });
  assert.equal(made.data.service_groups?.[0]?.status, "success");
  await autoscale.createAutoscaleConfigurationByServiceGroupUuid(uuid, {
    body: { uuid, ...sizes, max_size: 2, create_args: { ...create_args, roms: oneRom } },
  });
  const read = await autoscale.getAutoscaleConfigurationsByServiceGroupUuid(uuid);
  const [group] = read.data.service_groups ?? [];
  assert.deepEqual([group?.enabled, group?.min_size, group?.max_size], [true, 1, 2]);

  await autoscale.createAutoscaleConfigurationPolicy(uuid, {
    body: { name: "more", type: { ...busy, name: "more" } },
  });
  assert.deepEqual(await policiesOf(), ["busy", "more"]);
  const one = await autoscale.getAutoscaleConfigurationPolicyByName(uuid, "more");
  assert.equal(one.data.policies?.[0]?.policy?.steps?.length, 2);
  await autoscale.deleteAutoscaleConfigurationPolicyByName(uuid, "more");
  // The documented body is flat; the package's type has it in an object, and does not know this kind.
  const worn = { type: "create", num_requests: 100, replace: true };
  const bodies = [
    { name: "flat", ...worn },
    { name: "nested", type: { name: "nested", ...worn } },
    { name: "early", type: "on_demand", high_watermark: 0.8 },
  ] as unknown as { name: string; type: typeof busy }[];
  for (const body of bodies) {
    await autoscale.createAutoscaleConfigurationPolicy(uuid, { body });
    const { data } = await autoscale.getAutoscaleConfigurationPolicyByName(uuid, body.name);
    const wanted = typeof body.type === "object" ? body.type : body;
    assert.partialDeepStrictEqual(data.policies?.[0]?.policy, wanted);
    await autoscale.deleteAutoscaleConfigurationPolicyByName(uuid, body.name);
  }
  await autoscale.deleteAutoscaleConfigurationPolicies(uuid, { body: { name: "busy" } });
  assert.deepEqual(await policiesOf(), []);

  const listed = await autoscale.getAutoscaleConfigurations();
  assert.ok(listed.data.service_groups?.some((each) => each.uuid === uuid));
  await autoscale.deleteAutoscaleConfigurations({ body: [{ name }] });
  const after = await autoscale.getAutoscaleConfigurations({ uuid: [uuid] });
  assert.equal(after.data.service_groups?.[0]?.enabled, false);
}
