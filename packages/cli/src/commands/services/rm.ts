import { rmCommand } from "../../resource-commands.ts";

export const servicesRm = rmCommand({
  examples: ["uni services rm shop"],
  many: "service groups",
  operation: "deleteServiceGroups",
  key: "service_groups",
});
