/** The credentials that this user has for the registry of an image; the daemon itself looks into no home. */
import { existsSync } from "node:fs";
import { splitName } from "@uni/contract/image-names";
import type { RegistryCredentials } from "@uni/contract/registry-credentials";
import type { Context } from "../context.ts";
import { configPaths, readConfig } from "./config-files.ts";
import { askHelper } from "./helper.ts";

export async function findCredentials(
  context: Pick<Context, "client" | "env" | "out" | "signal">,
  reference: string,
): Promise<RegistryCredentials | undefined> {
  const paths = configPaths(context.env).filter((path) => existsSync(path));
  if (paths.length === 0) return undefined;
  const registry = splitName(reference).host ?? (await defaultRegistry(context));
  for (const path of paths) {
    const found = await readConfig(path, registry);
    if (found === undefined) continue;
    if (found.kind === "credentials") return found.credentials;
    try {
      const credentials = await askHelper(found.helper, found.server, context.env);
      if (credentials !== undefined) return credentials;
    } catch (error) {
      // The image may be anybody's: what the registry says decides.
      context.out.note((error as Error).message);
    }
  }
  return undefined;
}

async function defaultRegistry({ client, signal }: Pick<Context, "client" | "signal">): Promise<string> {
  return (await client.call("Daemon.Info", {}, { signal })).default_registry;
}
