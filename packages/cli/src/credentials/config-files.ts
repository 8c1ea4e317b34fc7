/** What `docker login` and `podman login` have left in files of this user, and which helpers they name. */
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { impliedHost } from "@uni/contract/image-names";
import { parseCredentials, type RegistryCredentials } from "@uni/contract/registry-credentials";

/** In the order in which they are asked. */
export function configPaths(env: NodeJS.ProcessEnv): readonly string[] {
  const home = env["HOME"] ?? homedir();
  const runtime = env["XDG_RUNTIME_DIR"];
  return [
    ...(env["REGISTRY_AUTH_FILE"] === undefined ? [] : [env["REGISTRY_AUTH_FILE"]]),
    join(env["DOCKER_CONFIG"] ?? join(home, ".docker"), "config.json"),
    ...(runtime === undefined ? [] : [join(runtime, "containers", "auth.json")]),
    join(home, ".config", "containers", "auth.json"),
  ];
}

export type Found =
  | { readonly kind: "credentials"; readonly credentials: RegistryCredentials }
  | { readonly kind: "helper"; readonly helper: string; readonly server: string };

/** A file that is not there, or that cannot be read, says nothing. */
export async function readConfig(path: string, registry: string): Promise<Found | undefined> {
  const json = await readFile(path, "utf8")
    .then(
      (text) => asMap(JSON.parse(text)),
      () => undefined,
    )
    .catch(() => undefined);
  if (json === undefined) return undefined;
  const helper = own(json["credHelpers"], registry) ?? json["credsStore"];
  const keys = keysOf(registry);
  if (typeof helper === "string" && helper !== "") {
    return { kind: "helper", helper, server: keys[0] ?? registry };
  }
  for (const key of keys) {
    const credentials = readEntry(asMap(own(json["auths"], key)));
    if (credentials !== undefined) return { kind: "credentials", credentials };
  }
  return undefined;
}

/** Of the implied host they are kept under the address of its first index. */
const keysOf = (registry: string): readonly string[] =>
  registry === impliedHost
    ? [`https://index.${impliedHost}/v1/`, impliedHost, `index.${impliedHost}`]
    : [registry, `https://${registry}`, `https://${registry}/`, `https://${registry}/v2/`];

function readEntry(entry: Readonly<Record<string, unknown>>): RegistryCredentials | undefined {
  const { identitytoken, auth, username, password } = entry;
  if (typeof identitytoken === "string" && identitytoken !== "") {
    return { username: "<token>", password: identitytoken };
  }
  if (typeof auth === "string" && auth !== "") return parseCredentials(auth);
  if (typeof username === "string" && typeof password === "string") return { username, password };
  return undefined;
}

const asMap = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};

function own(map: unknown, key: string): unknown {
  const entries = asMap(map);
  return Object.hasOwn(entries, key) ? entries[key] : undefined;
}
