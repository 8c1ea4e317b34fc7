/** Changes of the ports that an instance has on the host: they hold at once. */
import { UniError } from "@uni/contract/errors";
import type { InstanceId } from "@uni/contract/ids";
import { limits } from "@uni/contract/limits";
import type { InstanceUpdate } from "@uni/contract/resources/instance";
import type { ExposedPort } from "@uni/contract/resources/port-mapping";
import type { Lifecycle } from "./lifecycle.ts";
import type { InstancePort, InstanceRecord } from "./record.ts";
import type { Registry } from "./registry.ts";

/** Without a host port any free one will do. */
export type PortWish = Omit<InstancePort, "hostPort"> & { readonly hostPort: number | undefined };

const everywhere = "0.0.0.0";

export async function changePorts(
  deps: { readonly registry: Registry; readonly lifecycle: Pick<Lifecycle, "publish"> },
  id: InstanceId,
  update: InstanceUpdate,
): Promise<void> {
  const record = deps.registry.get(id);
  const wishes = wishedPorts(record, update);
  await deps.lifecycle.publish(record, wishes, (ports) => deps.registry.change(id, { spec: { ports } }));
}

/** What is there already is not asked for again, so that a change that is sent twice is one. */
export function wishedPorts({ name, spec }: InstanceRecord, update: InstanceUpdate): readonly PortWish[] {
  const given = update.value as readonly ExposedPort[] | undefined;
  if (update.op === "del") return given === undefined ? [] : without(name, spec.ports, given);
  const wishes: PortWish[] = update.op === "add" ? [...spec.ports] : [];
  for (const port of given ?? []) {
    const exactly = { ...port, host_address: port.host_address ?? everywhere };
    const wish = spec.ports.find((present) => fits(present, exactly)) ?? wishOf(exactly);
    if (!wishes.includes(wish)) wishes.push(wish);
  }
  if (wishes.length <= limits.ports) return wishes;
  throw new UniError(
    "too_many",
    `publish ports of instance '${name}': ${wishes.length} are over the limit of ${limits.ports}`,
  );
}

function without(name: string, ports: readonly InstancePort[], given: readonly ExposedPort[]) {
  const missing = given.find((port) => !ports.some((present) => fits(present, port)));
  if (missing === undefined) return ports.filter((present) => !given.some((port) => fits(present, port)));
  const { guest_port, host_port, protocol = "tcp" } = missing;
  const at = host_port === undefined ? "" : ` at port ${host_port}`;
  throw new UniError(
    "not_found",
    `stop publishing port ${guest_port}/${protocol} of instance '${name}': it is not published${at}`,
    { hint: "uni ps shows the published ports." },
  );
}

/** What is left open fits anything. */
const fits = (present: InstancePort, port: ExposedPort): boolean =>
  present.guestPort === port.guest_port &&
  present.protocol === (port.protocol ?? "tcp") &&
  (port.host_port ?? present.hostPort) === present.hostPort &&
  (port.host_address ?? present.hostAddress) === present.hostAddress;

const wishOf = (port: ExposedPort): PortWish => ({
  hostAddress: port.host_address ?? everywhere,
  hostPort: port.host_port,
  guestPort: port.guest_port,
  protocol: port.protocol ?? "tcp",
});
