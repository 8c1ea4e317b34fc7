import { rmCommand } from "../../resource-commands.ts";

export const scaleRm = rmCommand({
  examples: ["uni scale rm shop"],
  many: "service groups",
  operation: "deleteAutoscaleConfigurations",
  key: "service_groups",
});
