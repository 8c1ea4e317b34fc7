/** Writes docs/reference/openapi.json from the contract. test/repo/openapi.test.ts tells when it has to be run. */
import { writeFileSync } from "node:fs";
import { openApiDocument } from "@uni/contract/openapi";

const path = new URL("../docs/reference/openapi.json", import.meta.url);
writeFileSync(path, `${JSON.stringify(openApiDocument(), null, 2)}\n`);
