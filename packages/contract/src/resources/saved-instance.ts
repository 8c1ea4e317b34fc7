/** Templates and checkpoints: an instance at one instant, kept. Their lists hold Instances. */
import Type, { type Static, type TSchema } from "typebox";
import { instanceStates, mutableOperations, mutableSavedProperties } from "../enums.ts";
import { outcomeMembers } from "../envelope.ts";
import { limits } from "../limits.ts";
import { answer, integer, nameText, note, request, tagList, timeoutS, words } from "../schema.ts";
import { NameOrUuid, referenceMembers } from "./reference.ts";

export const SavedAutokill = request(
  {
    time_ms: Type.Optional(
      integer("Milliseconds since it was last used for an instance; 0: never", limits.autokillMs),
    ),
  },
  "When it is removed by itself",
);

export const CreateTemplatesItem = request({
  ...referenceMembers,
  timeout_s: Type.Optional(timeoutS),
  autokill: Type.Optional(SavedAutokill),
});
export type CreateTemplatesItem = Static<typeof CreateTemplatesItem>;

export const CreateCheckpointsItem = request({
  from: NameOrUuid,
  name: Type.Optional(nameText("Default <instance>-<5 letters and digits>")),
  timeout_s: Type.Optional(timeoutS),
  tags: Type.Optional(tagList),
  autokill: Type.Optional(SavedAutokill),
});
export type CreateCheckpointsItem = Static<typeof CreateCheckpointsItem>;

export const SavedUpdate = request({
  prop: words(mutableSavedProperties),
  op: words(mutableOperations),
  value: Type.Optional(Type.Unknown()),
});
export type SavedUpdate = Static<typeof SavedUpdate>;

const updateMembers = {
  id: Type.Optional(Type.String({ maxLength: limits.nameLength, description: "Echoed in the answer" })),
  ...SavedUpdate.properties,
};
export const UpdateSavedBody = request(updateMembers);
export const UpdateSavedItem = request({ ...referenceMembers, ...updateMembers });
export type UpdateSavedItem = Static<typeof UpdateSavedItem>;

const takes = (schema: TSchema) => ({ schema, optional: false });
const mayTake = (schema: TSchema) => ({ schema, optional: true });
const nothing = mayTake(Type.Never());

/** What one operation on one property takes; `optional`: the value may be left out, which clears the property. */
export const savedUpdateValues = {
  tags: { set: takes(tagList), add: takes(tagList), del: mayTake(tagList) },
  delete_lock: { set: takes(Type.Boolean()), del: nothing },
  autokill: { set: takes(SavedAutokill), del: nothing },
} as const satisfies Record<SavedUpdate["prop"], object>;

const identity = {
  ...outcomeMembers,
  uuid: Type.Optional(Type.String()),
  name: Type.Optional(Type.String()),
};

export const CreatedSaved = answer({ ...identity, state: Type.Optional(words(instanceStates)) });
export type CreatedSaved = Static<typeof CreatedSaved>;

export const DeletedSaved = answer(identity);
export type DeletedSaved = Static<typeof DeletedSaved>;

export const UpdatedSaved = answer({
  ...identity,
  id: Type.Optional(Type.String(note("As given in the request"))),
});
export type UpdatedSaved = Static<typeof UpdatedSaved>;
