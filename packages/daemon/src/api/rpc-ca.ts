import type { LocalCaPort } from "./port.ts";
import { value } from "./rpc-answer.ts";

export const localCaMethods = (localCa: LocalCaPort) => ({
  "Ca.Get": async () => value(await localCa.info()),
  "Ca.Trust": async () => value({ ...(await localCa.trust()), ...(await localCa.info()) }),
});
