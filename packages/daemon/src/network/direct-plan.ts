/** The usual changes without looking at the host first: nothing of the guest is there yet, or exactly what was put there. */
import { UniError } from "@uni/contract/errors";
import type { Change } from "./changes.ts";
import { addElement, deleteElement, type Element, elementsOf, elementText } from "./elements.ts";
import type { Names } from "./names.ts";
import { deviceCommands, noRouteCommand, type Plan, routeCommand } from "./plan.ts";
import type { Attachment } from "./port.ts";

/** `before`: as the guest was put there; undefined: not by this process. */
export function directPlan(names: Names, change: Change, before: Attachment | undefined): Plan {
  const { kind, attachment } = change;
  if (kind === "device") return devicePlan(attachment);
  if (kind === "attach") return attachPlan(names, before, attachment);
  if (before === undefined) throw new UniError("internal", `${kind} ${attachment.tap}: not attached by us`);
  if (kind === "publish") return publishPlan(names, before, attachment);
  return kind === "detach" ? detachPlan(names, before) : movePlan(before, attachment);
}

const devicePlan = (attachment: Attachment): Plan => ({
  ...nothing,
  ip: deviceCommands(attachment),
  tune: [attachment.tap],
});

/** What is there already is a sleeper's device, made for it. */
const attachPlan = (names: Names, before: Attachment | undefined, attachment: Attachment): Plan => ({
  ...(before?.asleep === "paused" && attachment.asleep === "paused" ? nothing : devicePlan(attachment)),
  nft: elementsOf(attachment).map((element) => addElement(names, element)),
});

export const detachPlan = (names: Names, attachment: Attachment): Plan => ({
  ...nothing,
  remove: hasTap(attachment) ? [attachment.tap] : [],
  nft: elementsOf(attachment).map((element) => deleteElement(names, element)),
  forget: [attachment.address],
});

/** What goes is deleted first: one of its ports may lead to another port of the guest from now on. */
function publishPlan(names: Names, before: Attachment, after: Attachment): Plan {
  const [old, wanted] = [elementsOf(before), elementsOf(after)];
  const without = (elements: readonly Element[], others: readonly Element[]) => {
    const texts = new Set(others.map(elementText));
    return elements.filter((element) => !texts.has(elementText(element)));
  };
  return {
    ...nothing,
    nft: [
      ...without(old, wanted).map((element) => deleteElement(names, element)),
      ...without(wanted, old).map((element) => addElement(names, element)),
    ],
  };
}

/** Elements stay, so a sleeper's published ports lead to the waker. */
export function movePlan(before: Attachment, after: Attachment): Plan {
  const { tap } = after;
  if (!hasTap(after)) return { ...nothing, remove: hasTap(before) ? [tap] : [] };
  if (!hasTap(before)) return { ...nothing, ip: deviceCommands(after), tune: [tap] };
  const wasAwake = before.asleep === undefined;
  const isAwake = after.asleep === undefined;
  if (wasAwake === isAwake) return nothing;
  return { ...nothing, ip: [isAwake ? routeCommand(after) : noRouteCommand(after)] };
}

export const joinPlans = (plans: readonly Plan[]): Plan => ({
  remove: plans.flatMap(({ remove }) => remove),
  ip: plans.flatMap(({ ip }) => ip),
  nft: plans.flatMap(({ nft }) => nft),
  tune: plans.flatMap(({ tune }) => tune),
  forget: plans.flatMap(({ forget }) => forget),
  differences: plans.flatMap(({ differences }) => differences),
});

const hasTap = ({ asleep }: Attachment): boolean => asleep !== "disk";

const nothing: Plan = { remove: [], ip: [], nft: [], tune: [], forget: [], differences: [] };
