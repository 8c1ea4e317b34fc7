/** Query members that the list operations of all resources share. */
import Type from "typebox";
import { paginationOrders } from "./enums.ts";
import { count, list, request, words } from "./schema.ts";

export const referenceLists = {
  uuid: Type.Optional(list(Type.String(), "By uuid")),
  name: Type.Optional(list(Type.String(), "By name")),
};

export const detailsMember = Type.Boolean({ description: "Default true; false: only uuid and name" });

export const listMembers = {
  ...referenceLists,
  details: Type.Optional(detailsMember),
  count: Type.Optional(count("Page size; 0 or absent: everything")),
  from: Type.Optional(Type.String({ description: "Uuid or creation time: the page begins after it" })),
  order: Type.Optional(words(paginationOrders, "Default asc: oldest first")),
  sortby: Type.Optional(words(["create_time"])),
};

/** Of instances, templates and checkpoints. */
export const ListQuery = request({
  ...listMembers,
  tags: Type.Optional(list(Type.String(), "All of them must be there; also as one comma list")),
});
