/** Other ports for an instance, whatever it is doing. */
import { UniError } from "@uni/contract/errors";
import { limits } from "@uni/contract/limits";
import { KeyedQueue } from "../base/keyed-queue.ts";
import type { Lifecycle } from "../instances/lifecycle.ts";
import type { PortWish } from "../instances/port-changes.ts";
import type { InstancePort, InstanceRecord } from "../instances/record.ts";
import type { Attachment } from "../network/port.ts";
import { attachmentOf } from "./attachments.ts";
import type { LifecycleDependencies } from "./machine.ts";

type Dependencies = Pick<LifecycleDependencies, "network" | "otherAttachments" | "portsOfAll">;

/** One after the other: between the choice of a port and its record nobody else chooses. */
export function createPublish(deps: Dependencies): Lifecycle["publish"] {
  const queue = new KeyedQueue<"ports">();
  return (record, wishes, save) =>
    queue.run("ports", async () => {
      const ports = await settle(deps, record, wishes);
      const after = await save(ports);
      if (after.status.state === "stopped") return;
      try {
        await deps.network.publish(attachmentOf(deps.network, after, true));
      } catch (error) {
        await save(record.spec.ports);
        throw error;
      }
    });
}

/** A stopped instance does not hold its ports: whether they are free is asked where it starts. */
async function settle(
  { network, otherAttachments, portsOfAll }: Dependencies,
  record: InstanceRecord,
  wishes: readonly PortWish[],
): Promise<readonly InstancePort[]> {
  const kept = record.spec.ports.filter((port) => wishes.includes(port));
  const own: Attachment = { ...attachmentOf(network, record, true), instanceId: record.name };
  const settled: InstancePort[] = [...kept];
  const check = (port: InstancePort) =>
    network.checkPorts([port], [...otherAttachments(record), { ...own, ports: settled }]);
  for (const wish of wishes) {
    if (isSettled(wish)) {
      if (kept.includes(wish)) continue;
      if (record.status.state !== "stopped") await check(wish);
      settled.push(wish);
    } else settled.push(await pickFree(wish, [...portsOfAll(), ...settled], check));
  }
  return settled;
}

const isSettled = (wish: PortWish): wish is InstancePort => wish.hostPort !== undefined;

/** Keeps clear of what stopped instances will want as well: they find their ports again. */
async function pickFree(
  wish: PortWish,
  taken: readonly InstancePort[],
  check: (port: InstancePort) => Promise<void>,
): Promise<InstancePort> {
  const { minimum, maximum } = limits.exposedPorts;
  const held = new Set(taken.map(({ protocol, hostPort }) => `${protocol} ${hostPort}`));
  for (let hostPort = minimum; hostPort <= maximum; hostPort += 1) {
    if (held.has(`${wish.protocol} ${hostPort}`)) continue;
    const port = { ...wish, hostPort };
    try {
      await check(port);
      return port;
    } catch (error) {
      if (!(error instanceof UniError) || error.code !== "port_in_use") throw error;
    }
  }
  throw new UniError("none_free", `pick a port from ${minimum} to ${maximum}: none is free`, {
    hint: "State one outside of this range: uni expose --port.",
  });
}
