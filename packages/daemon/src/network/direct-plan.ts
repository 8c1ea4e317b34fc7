/** The usual changes without looking at the host first: nothing of the guest is there yet, or exactly what was put there. */
import { addElement, deleteElement, elementsOf } from "./elements.ts";
import type { Names } from "./names.ts";
import { deviceCommands, type Plan } from "./plan.ts";
import type { Attachment } from "./port.ts";

export const attachPlan = (names: Names, attachment: Attachment): Plan => ({
  remove: [],
  ip: deviceCommands(attachment),
  nft: elementsOf(attachment).map((element) => addElement(names, element)),
  tune: [attachment.tap],
  forget: [],
  differences: [],
});

export const detachPlan = (names: Names, attachment: Attachment): Plan => ({
  remove: [attachment.tap],
  ip: [],
  nft: elementsOf(attachment).map((element) => deleteElement(names, element)),
  tune: [],
  forget: [attachment.address],
  differences: [],
});

export const joinPlans = (plans: readonly Plan[]): Plan => ({
  remove: plans.flatMap(({ remove }) => remove),
  ip: plans.flatMap(({ ip }) => ip),
  nft: plans.flatMap(({ nft }) => nft),
  tune: plans.flatMap(({ tune }) => tune),
  forget: plans.flatMap(({ forget }) => forget),
  differences: plans.flatMap(({ differences }) => differences),
});
