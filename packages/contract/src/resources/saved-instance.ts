/** Templates and checkpoints: an instance at one instant, kept. Their lists hold Instances. */
import Type, { type Static } from "typebox";
import { instanceStates, mutableSavedProperties } from "../enums.ts";
import { outcomeMembers } from "../envelope.ts";
import { limits } from "../limits.ts";
import { answer, integer, nameText, note, request, tagList, timeoutS, words } from "../schema.ts";
import {
  mayTake,
  propertyUpdate,
  takes,
  takesNothing,
  type UpdateValues,
  updateBodies,
} from "./property-update.ts";
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

export const SavedUpdate = propertyUpdate(mutableSavedProperties);
export type SavedUpdate = Static<typeof SavedUpdate>;

export const { body: UpdateSavedBody, item: UpdateSavedItem } = updateBodies(SavedUpdate);
export type UpdateSavedItem = Static<typeof UpdateSavedItem>;

export const savedUpdateValues: Readonly<Record<SavedUpdate["prop"], UpdateValues>> = {
  tags: { set: takes(tagList), add: takes(tagList), del: mayTake(tagList) },
  delete_lock: { set: takes(Type.Boolean()), del: takesNothing },
  autokill: { set: takes(SavedAutokill), del: takesNothing },
};

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
