import type { RpcParams } from "@uni/contract/rpc-methods";
import type { RegistriesPort } from "./registries-port.ts";
import { type RpcContext, value } from "./rpc-answer.ts";

export const registryMethods = (registries: RegistriesPort) => ({
  "Registry.Login": async (params: RpcParams<"Registry.Login">, { signal }: RpcContext) =>
    value({ registry: await registries.login(params, signal) }),
  "Registry.Logout": async ({ registry }: RpcParams<"Registry.Logout">) =>
    value({ registry: await registries.logout(registry) }),
  "Registry.List": async () => value(await registries.list()),
  "Registry.Check": async ({ registry }: RpcParams<"Registry.Check">, { signal }: RpcContext) =>
    value({ registry: await registries.check(registry, signal) }),
});
