import { rmCommand } from "../../resource-commands.ts";

export const certsRm = rmCommand({
  examples: ["uni certs rm star"],
  many: "certificates",
  operation: "deleteCertificates",
  key: "certificates",
});
