/** The guest of an instance, for whoever wants something of it: a sleeper is woken, one that is being taken over is waited for. */
import { UniError } from "@uni/contract/errors";
import type { InstanceId } from "@uni/contract/ids";
import type { GuestChannel } from "../guest/port.ts";
import type { LiveInstance } from "../instances/lifecycle.ts";
import type { Owners } from "../instances/owners.ts";
import type { Registry } from "../instances/registry.ts";
import type { Transitions } from "./transitions.ts";

export interface GuestAccessDependencies {
  readonly registry: Registry;
  readonly owners: Owners;
}

/** How long those wait who need the guest of a sleeper. */
const wakeMs = 60_000;

export function createGuestAccess(
  { registry, owners }: GuestAccessDependencies,
  { requireRoom, waitFor }: Pick<Transitions, "requireRoom" | "waitFor">,
) {
  /** Whoever wants something of a sleeper wakes it. */
  async function wakeIfAsleep(id: InstanceId): Promise<void> {
    const { state, intent, sleep } = registry.get(id).status;
    const isWaking = state === "starting" && sleep !== null;
    if (intent !== "sleep" && !isWaking) return;
    requireRoom(registry.get(id));
    await owners.of(id).wake();
    if (registry.get(id).status.state === "starting") {
      await waitFor(id, (record) => record?.status.state !== "starting")(
        wakeMs,
        new AbortController().signal,
      );
    }
  }

  /** A daemon that has just begun may be taking the machine over: that is waited for. */
  async function requireLive(id: InstanceId, what: string): Promise<LiveInstance> {
    const owner = owners.of(id);
    await wakeIfAsleep(id);
    if (owner.live === undefined && registry.get(id).status.state === "running") await owner.idle();
    const record = registry.get(id);
    const { live } = owner;
    if (live !== undefined && record.status.state === "running") return live;
    const { state } = record.status;
    throw new UniError(
      "wrong_state",
      `${what} instance '${record.name}': it is ${state}`,
      state === "stopped" ? { hint: `Start it first: uni start ${record.name}` } : {},
    );
  }

  /** Runs `body` on the guest of a running instance, or of a stopped one with its program not started. */
  async function withGuest<T>(id: InstanceId, body: (channel: GuestChannel) => Promise<T>): Promise<T> {
    const { state, intent } = registry.get(id).status;
    if (state !== "running" && intent !== "sleep") {
      return owners.of(id).maintain((maintained) => body(maintained.channel));
    }
    const { channel } = await requireLive(id, "copy files of");
    const end = owners.of(id).sessions.begin();
    return body(channel).finally(end);
  }

  return { requireLive, withGuest };
}
