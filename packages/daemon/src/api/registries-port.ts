/** What the API asks about registries that are somebody else's; a part of its port. */
import type { LoginParams, RegistryInfo } from "@uni/contract/rpc";

export interface RegistriesPort {
  /** `registry_denied` if the registry does not take them; then nothing is kept. Returns the registry's name. */
  login(params: LoginParams, signal: AbortSignal): Promise<string>;
  /** `not_found` where nothing is kept. */
  logout(registry: string | undefined): Promise<string>;
  list(): Promise<readonly RegistryInfo[]>;
  /** Does the registry still take what is kept for it? */
  check(registry: string | undefined, signal: AbortSignal): Promise<string>;
}
