/** Options of unid about the registries that images are pulled from and pushed to. */
import { UniError } from "@uni/contract/errors";
import { type RegistryOptions, standardOptions } from "../images/remote/address.ts";

export const registryOptionNames = {
  "default-registry": { type: "string" },
  "insecure-registries": { type: "string" },
  "registry-mirror": { type: "string", multiple: true },
  "pull-timeout": { type: "string" },
} as const;

export const registryUsage = `Registries that images come from:
  --default-registry HOST        images without a host in their name come from it
                                 (UNI_DEFAULT_REGISTRY, default as for Docker's tools)
  --insecure-registries HOST,…   those that may be spoken to without TLS, besides this machine
                                 (UNI_INSECURE_REGISTRIES, default none)
  --registry-mirror HOST=URL,…   asked before HOST, in this order; repeatable
                                 (UNI_REGISTRY_MIRROR, with spaces between several)
  --pull-timeout SECONDS         how long an instance waits for its image
                                 (UNI_PULL_TIMEOUT, default 60)
`;

type Values = {
  readonly "default-registry"?: string | undefined;
  readonly "insecure-registries"?: string | undefined;
  readonly "registry-mirror"?: readonly string[] | undefined;
};

export function readRegistryOptions(values: Values, env: NodeJS.ProcessEnv): RegistryOptions {
  const standard = values["default-registry"] ?? env.UNI_DEFAULT_REGISTRY ?? "";
  const insecure = values["insecure-registries"] ?? env.UNI_INSECURE_REGISTRIES ?? "";
  const mirrors = values["registry-mirror"] ?? split(env.UNI_REGISTRY_MIRROR ?? "", " ");
  return {
    defaultRegistry: standard === "" ? standardOptions.defaultRegistry : readHost(standard),
    insecureRegistries: split(insecure, ",").map(readHost),
    mirrors: new Map(mirrors.map(readMirror)),
  };
}

const split = (text: string, separator: string): string[] =>
  text.split(separator).filter((part) => part !== "");

function readHost(text: string): string {
  const url = URL.parse(`https://${text}`);
  if (url !== null && url.host !== "" && url.href === `https://${url.host}/` && /^[^/?#@]+$/.test(text))
    return text;
  throw refused(`'${text}' is no host`, "For example registry.example.com or registry.example.com:5000.");
}

function readMirror(text: string): readonly [string, readonly URL[]] {
  const equals = text.indexOf("=");
  if (equals <= 0) throw refused(`--registry-mirror '${text}' is not HOST=URL`, mirrorHint);
  const urls = split(text.slice(equals + 1), ",").map(readUrl);
  if (urls.length === 0) throw refused(`--registry-mirror '${text}' names no mirror`, mirrorHint);
  return [readHost(text.slice(0, equals)), urls];
}

const mirrorHint = "For example registry.example.com=https://mirror.example.com.";

function readUrl(text: string): URL {
  const url = URL.parse(text);
  const isWeb = url?.protocol === "https:" || url?.protocol === "http:";
  if (url !== null && isWeb && url.username === "" && url.search === "" && url.hash === "") return url;
  throw refused(`the mirror '${text}' is no address`, mirrorHint);
}

const refused = (reason: string, hint: string): UniError =>
  new UniError("invalid_value", `read the options about registries: ${reason}`, { hint });
