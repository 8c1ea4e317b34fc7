/**
 * A group that gets its first member when somebody asks for one has a member until then that cannot be reached: requests wait
 * for it as for one that starts, are tried again each second, and go to whoever is there by then.
 */
import type { EdgeGroup, EdgeMember, EdgePlan } from "./port.ts";

/**
 * Refuses: a port that stands for nothing (IANA), and that only root could listen on. The refusal must be a packet: what
 * connect(2) itself refuses, HAProxy tries again without a pause.
 */
const unreachable = { address: "127.0.0.1", port: 4 };

const awaitedMember = ({ id }: EdgeGroup): EdgeMember => ({
  id,
  ...unreachable,
  state: "starting",
});

/** For who waited until it was awake, among those that sleep or start: it stands there as what is left when they are none. */
export const lateMember = ({ members }: EdgeGroup): EdgeMember | undefined =>
  members.find(({ state }) => state === "awake");

export const withAwaitedMembers = (plan: EdgePlan): EdgePlan => ({
  ...plan,
  groups: plan.groups.map((group) =>
    awaits(group) ? { ...group, members: [...group.members, awaitedMember(group)] } : group,
  ),
});

const awaits = ({ awaitsMembers, members }: EdgeGroup): boolean =>
  awaitsMembers === true && members.every(({ state }) => state === "draining");
