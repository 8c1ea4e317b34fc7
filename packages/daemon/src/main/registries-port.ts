/** Credentials of registries: kept by their host, shown to nobody, and looked at by the registry before they are. */
import { UniError } from "@uni/contract/errors";
import { impliedHost } from "@uni/contract/image-names";
import type { RegistriesPort } from "../api/registries-port.ts";
import type { Clock } from "../base/clock.ts";
import { withDeadline } from "../base/deadline.ts";
import type { Remote } from "../images/remote/client.ts";
import type { Database } from "../store/open.ts";
import {
  deleteRegistryCredentials,
  findRegistryCredentials,
  listRegistryCredentials,
  putRegistryCredentials,
} from "../store/registry-credentials.ts";

export interface RegistriesDependencies {
  readonly db: Database;
  readonly clock: Clock;
  readonly remote: Pick<Remote, "check">;
  readonly defaultRegistry: string;
}

const checkMs = 60_000;

export function createRegistriesPort(deps: RegistriesDependencies): RegistriesPort {
  const { db, clock, remote } = deps;
  const nameOf = (given: string | undefined): string => hostOf(given ?? deps.defaultRegistry);

  async function ask(
    registry: string,
    credentials: { readonly username: string; readonly password: string },
    signal: AbortSignal,
  ): Promise<void> {
    const bounds = { clock, ms: checkMs, attempted: `log in to ${registry}`, signal };
    await withDeadline(bounds, (bounded) => remote.check(registry, credentials, bounded));
  }

  return {
    async login({ registry: given, username, password, validate = true }, signal) {
      const registry = nameOf(given);
      if (validate) await ask(registry, { username, password }, signal);
      await putRegistryCredentials(db, { registry, username, password }, clock.now());
      return registry;
    },
    async logout(given) {
      const registry = nameOf(given);
      if (await deleteRegistryCredentials(db, registry)) return registry;
      throw noneFor(registry, "log out of");
    },
    async list() {
      const rows = await listRegistryCredentials(db);
      return rows.map(({ registry, username, created_at, updated_at }) => ({
        registry,
        username,
        created_at: new Date(created_at).toISOString(),
        updated_at: new Date(updated_at).toISOString(),
      }));
    },
    async check(given, signal) {
      const registry = nameOf(given);
      const credentials = await findRegistryCredentials(db, registry);
      if (credentials === undefined) throw noneFor(registry, "check");
      await ask(registry, credentials, signal);
      return registry;
    },
  };
}

const noneFor = (registry: string, attempted: string): UniError =>
  new UniError("not_found", `${attempted} ${registry}: no credentials are kept for it`, {
    hint: "'uni registries ls' lists those for which some are.",
  });

/** As it stands before names of images, whichever address of it was given. */
function hostOf(text: string): string {
  const url = URL.parse(text.includes("://") ? text : `https://${text}`);
  const isHost = url !== null && /^https?:$/.test(url.protocol) && url.username === "" && url.host !== "";
  if (!isHost || /[\s?#@]/.test(text)) {
    throw new UniError("invalid_value", `find the registry '${text.slice(0, 300)}': it is no host name`, {
      hint: "For example registry.example.com or registry.example.com:5000.",
    });
  }
  return [`index.${impliedHost}`, `registry-1.${impliedHost}`].includes(url.host) ? impliedHost : url.host;
}
