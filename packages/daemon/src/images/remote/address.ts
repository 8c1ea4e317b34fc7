/** Which host serves an image of some name, and what the image is called there. */
import { UniError } from "@uni/contract/errors";
import { impliedHost, splitName } from "@uni/contract/image-names";
import type { ImageReference } from "../reference.ts";

export interface RegistryOptions {
  /** Serves images whose name has no host. */
  readonly defaultRegistry: string;
  /** Hosts, with their port if it is not the usual one, that may be spoken to without TLS. */
  readonly insecureRegistries: readonly string[];
  /** Asked before the host itself, in this order. */
  readonly mirrors: ReadonlyMap<string, readonly URL[]>;
}

export interface Address {
  /** As in names of images and in credentials: it is what users call it. */
  readonly registry: string;
  /** What answers; the protocol is still to be found out where `mayBePlain`. */
  readonly url: URL;
  readonly mayBePlain: boolean;
  /** Path of the repository there. */
  readonly repository: string;
  readonly isMirror: boolean;
}

export const standardOptions: RegistryOptions = {
  defaultRegistry: impliedHost,
  insecureRegistries: [],
  mirrors: new Map(),
};

/** The registry itself comes last. */
export function addressesOf(
  reference: ImageReference,
  options: RegistryOptions,
): readonly [...Address[], Address] {
  const { host, path } = splitName(reference.name);
  const registry = host ?? options.defaultRegistry;
  const repository = registry === impliedHost && !path.includes("/") ? `library/${path}` : path;
  const mirrors = (options.mirrors.get(registry) ?? []).map((url): Address => {
    const prefix = url.pathname.replace(/^\/+|\/+$/g, "");
    return {
      registry: url.host,
      url: new URL(url.origin),
      mayBePlain: false,
      repository: prefix === "" ? repository : `${prefix}/${repository}`,
      isMirror: true,
    };
  });
  return [...mirrors, { ...addressOfHost(registry, options), repository }];
}

/** The registry's own door, without a repository. */
export function addressOfHost(registry: string, options: RegistryOptions): Address {
  // Its images are called by one host and served by another.
  const server = registry === impliedHost ? `registry-1.${impliedHost}` : registry;
  const url = URL.parse(`https://${server}`);
  if (url === null || url.pathname !== "/" || url.username !== "") {
    throw new UniError("invalid_value", `find the registry '${registry.slice(0, 300)}': it is no host name`, {
      hint: "For example registry.example.com or registry.example.com:5000.",
    });
  }
  return {
    registry,
    url,
    mayBePlain: options.insecureRegistries.includes(registry) || isLoopback(url.hostname),
    repository: "",
    isMirror: false,
  };
}

export const isLoopback = (hostname: string): boolean =>
  hostname === "localhost" || hostname === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(hostname);
