/** Changes of one property: what the updates of instances, service groups, templates and checkpoints have in common. */
import Type, { type TObject, type TProperties, type TSchema } from "typebox";
import { type MutableOperation, mutableOperations } from "../enums.ts";
import { limits } from "../limits.ts";
import { request, words } from "../schema.ts";
import { referenceMembers } from "./reference.ts";

/** `value` is checked against the table of what each operation takes, and not by this schema. */
export const propertyUpdate = <const T extends readonly string[]>(properties: T) =>
  request({
    prop: words(properties),
    op: words(mutableOperations),
    value: Type.Optional(Type.Unknown()),
  });

/** The body of a call that names its resource in the path, and an item of one that changes several. */
export function updateBodies<T extends TProperties>({ properties }: TObject<T>) {
  const members = {
    id: Type.Optional(Type.String({ maxLength: limits.nameLength, description: "Echoed in the answer" })),
    ...properties,
  };
  return { body: request(members), item: request({ ...referenceMembers, ...members }) };
}

/** What one operation on one property takes. `optional`: the value may be left out, which clears the property. */
export interface UpdateValue {
  readonly schema: TSchema;
  readonly optional: boolean;
}

/** An operation that is missing makes no sense on the property. */
export type UpdateValues = Readonly<Partial<Record<MutableOperation, UpdateValue>>>;

export const takes = (schema: TSchema): UpdateValue => ({ schema, optional: false });
export const mayTake = (schema: TSchema): UpdateValue => ({ schema, optional: true });
export const takesNothing = mayTake(Type.Never());
