/** Autoscale: configurations of service groups, and their policies. */
import { messages } from "@uni/contract/envelope";
import { UniError } from "@uni/contract/errors";
import type {
  AutoscaleGroup,
  CreateScalePolicyBody,
  ScalePolicy,
  SetAutoscaleBody,
} from "@uni/contract/resources/autoscale";
import type { Call } from "./call.ts";
import { type Answer, items } from "./outcome.ts";
import { askedReferences } from "./paging.ts";
import type { AutoscalePort, Reference } from "./port.ts";
import { attempt, bodyItems, readReference, readUuid } from "./references.ts";
import { readRoms } from "./rom-rules.ts";

type Scale = AutoscalePort;

/** One after the other, for several items may be about the same group. */
async function eachItem<T extends Reference>(
  call: Call,
  act: (reference: Reference, item: T) => Promise<object>,
): Promise<Answer> {
  const answers: object[] = [];
  for (const { reference, item } of bodyItems<T>(call)) {
    const succeed = async () => ({ status: "success" as const, ...(await act(reference, item)) });
    answers.push(await attempt(call.log, reference, succeed));
  }
  return items(answers);
}

export const setAutoscale = (scale: Scale, call: Call): Promise<Answer> =>
  eachItem<SetAutoscaleBody>(call, (reference, item) => {
    const { create_args: { template: cloned, roms = [] } = {}, template = cloned } = item;
    if (template === undefined) {
      throw new UniError("invalid_value", "Missing member 'template'", {
        hint: "Members are made of a template: 'uni template create' makes one.",
      });
    }
    const madeOf = { template: readReference(template), roms: readRoms(Array.isArray(roms) ? roms : [roms]) };
    return scale.set(call.account, reference, item, madeOf);
  });

export async function getAutoscale(scale: Scale, call: Call): Promise<Answer> {
  const references = call.uuid === undefined ? askedReferences(call) : [{ uuid: readUuid(call.uuid) }];
  if (references.length === 0) return items(scale.list(call.account));
  const entries = references.map((reference) =>
    attempt(call.log, reference, () => ({
      status: "success" as const,
      ...scale.get(call.account, reference),
    })),
  );
  return items(await Promise.all(entries));
}

export const deleteAutoscale = (scale: Scale, call: Call): Promise<Answer> =>
  eachItem(call, (reference) => scale.delete(call.account, reference));

const groupOf = (call: Call): Reference => ({ uuid: readUuid(call.uuid ?? "") });

export async function createPolicy(scale: Scale, call: Call): Promise<Answer> {
  const policy = flat(call.body as CreateScalePolicyBody);
  const act = async () => {
    const { uuid } = await scale.addPolicy(call.account, groupOf(call), policy);
    return { status: "success" as const, uuid, name: policy.name };
  };
  return items([await attempt(call.log, { name: policy.name }, act)]);
}

/** As if all had been in one object; what is outside counts more. */
function flat({ type, ...outside }: CreateScalePolicyBody): ScalePolicy {
  if (typeof type !== "object") return type === undefined ? outside : { ...outside, type };
  return { ...type, ...outside };
}

export async function getPolicies(scale: Scale, call: Call): Promise<Answer> {
  const { policies = [], uuid }: AutoscaleGroup = scale.get(call.account, groupOf(call));
  const { name } = call;
  const shown = policies.filter((policy) => name === undefined || policy.name === name);
  if (shown.length === 0 && name !== undefined) {
    const missing = () => {
      throw new UniError("not_found", messages.noSuch("policy", "name", name));
    };
    return items([await attempt(call.log, { name }, missing)]);
  }
  return items(shown.map((policy) => ({ status: "success", uuid, name: policy.name, policy })));
}

export async function deletePolicy(scale: Scale, call: Call): Promise<Answer> {
  const name = call.name ?? (call.body as { name: string }).name;
  const act = async () => {
    const { uuid } = await scale.deletePolicy(call.account, groupOf(call), name);
    return { status: "success" as const, uuid, name };
  };
  return items([await attempt(call.log, { name }, act)]);
}
