import { isIPv4 } from "node:net";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { UniError } from "@uni/contract/errors";
import { nearHint } from "../base/near-names.ts";
import type { RegistryOptions } from "../images/remote/address.ts";
import type { AcmeOptions } from "../services/acme/options.ts";
import { readHostName } from "../services/domains.ts";
import { acmeOptionNames, acmeUsage, readAcmeOptions } from "./acme-config.ts";
import { readRegistryOptions, registryOptionNames, registryUsage } from "./registry-config.ts";

export interface Config {
  readonly dataDirectory: string;
  readonly socketPath: string;
  /** Undefined: no TCP listener. */
  readonly listen: { readonly host: string; readonly port: number } | undefined;
  /** Kernels and boot snapshots; may be shared by daemons. */
  readonly cacheDirectory: string;
  /** Boot snapshots take no more of it, but for those in use. */
  readonly bootCacheBytes: number;
  readonly logLevel: string;
  /** Undefined: text on a terminal, else JSON. */
  readonly logFormat: "json" | "text" | undefined;
  /** Sleepers keep their process for this long. */
  readonly sleepToDiskAfterMs: number;
  /** Pulled images that nobody used for this long go when the disk is short; 0: never. */
  readonly pruneImagesAfterMs: number;
  /** Services have their names below it. */
  readonly domain: string;
  /** IPv4 address on which services are published. */
  readonly edgeBind: string;
  /** Networks of load balancers in front of it that speak the PROXY protocol. */
  readonly edgeProxies: readonly string[];
  /** Undefined: the local authority issues all that is not uploaded. */
  readonly acme: AcmeOptions | undefined;
  readonly registries: RegistryOptions;
  /** How long an instance waits for its image. */
  readonly pullTimeoutMs: number;
}

export const usage = `Usage: unid [options]

Runs container images as microVMs, for the uni command and the REST API.

Options:
  --data-dir DIR                 state of this daemon
                                 (UNI_DATA_DIR, default /var/lib/uni)
  --listen HOST:PORT             REST API and registry; port 0: any; "off" for none
                                 (UNI_LISTEN, default 127.0.0.1:7420)
  --socket PATH                  socket of the uni command
                                 (UNI_SOCKET, default /var/run/unid.sock)
  --cache-dir DIR                kernels and boot snapshots
                                 (UNI_CACHE_DIR, default /var/cache/uni)
  --boot-cache MIB               boot snapshots take no more, but for those in use
                                 (UNI_BOOT_CACHE, default 4096)
  --sleep-to-disk-after SECONDS  how long sleepers keep their process; 0: not at all
                                 (UNI_SLEEP_TO_DISK_AFTER, default 60)
  --prune-images-after DAYS      when less than a tenth of the disk is free, pulled images go
                                 that nobody used for this long; 0: never
                                 (UNI_PRUNE_IMAGES_AFTER, default 30)
  --edge-bind ADDRESS            services are published on it
                                 (UNI_EDGE_BIND, default 0.0.0.0)
  --edge-proxies CIDR,…          load balancers before it that speak the PROXY protocol, and must
                                 (UNI_EDGE_PROXIES, default none)
  --domain NAME                  names of services lie below
                                 (UNI_DOMAIN, default uni.localhost)
  --log-level LEVEL              debug, info, warn or error
                                 (UNI_LOG_LEVEL, default info)
  --log-format FORMAT            json or text
                                 (UNI_LOG_FORMAT, default text on a terminal, else json)
  -V, --version                  print the version
  -h, --help                     print this

${registryUsage}
${acmeUsage}
The token of the REST API is in DIR/admin-token, the address that it listens on in DIR/listen.
SIGTERM ends the daemon; its instances go on and are taken over by the next one.

Examples:
  unid
  unid --data-dir /srv/uni --listen 127.0.0.1:0 --socket /run/uni.sock
`;

/** Longest data directory whose sockets still fit into sun_path's 108 bytes (unix(7)). */
const longestDataDirectory = 50;
const longestSleepS = 365 * 86_400;
/** Programs on this machine find names below localhost without any resolver (RFC 6761, 6.3). */
const defaultDomain = "uni.localhost";
const levels = ["debug", "info", "warn", "error"];

export type Command =
  | { readonly kind: "run"; readonly config: Config }
  | { readonly kind: "help" | "version" };

export function readConfig(args: readonly string[], env: NodeJS.ProcessEnv): Command {
  const { values } = parseOptions(args);
  if (values.help === true) return { kind: "help" };
  if (values.version === true) return { kind: "version" };
  const dataDirectory = absolute("data directory", values["data-dir"] ?? env.UNI_DATA_DIR ?? "/var/lib/uni");
  if (Buffer.byteLength(dataDirectory) > longestDataDirectory) {
    throw new UniError(
      "invalid_value",
      `use data directory ${dataDirectory}: its path is longer than ${longestDataDirectory} bytes`,
      { hint: "The sockets below it would not fit into a socket address; choose a shorter path." },
    );
  }
  const logLevel = values["log-level"] ?? env.UNI_LOG_LEVEL ?? "info";
  if (!levels.includes(logLevel)) {
    throw new UniError("invalid_value", `log at level '${logLevel}': the levels are ${levels.join(", ")}`);
  }
  const logFormat = values["log-format"] ?? env.UNI_LOG_FORMAT;
  if (logFormat !== undefined && logFormat !== "json" && logFormat !== "text") {
    throw new UniError("invalid_value", `log in the format '${logFormat}': the formats are json and text`);
  }
  return {
    kind: "run",
    config: {
      dataDirectory,
      socketPath: absolute("socket", values.socket ?? env.UNI_SOCKET ?? "/var/run/unid.sock"),
      listen: parseListen(values.listen ?? env.UNI_LISTEN ?? "127.0.0.1:7420"),
      cacheDirectory: absolute(
        "cache directory",
        values["cache-dir"] ?? env.UNI_CACHE_DIR ?? "/var/cache/uni",
      ),
      bootCacheBytes: readMebibytes("boot cache", values["boot-cache"] ?? env.UNI_BOOT_CACHE ?? "4096"),
      logLevel,
      logFormat,
      sleepToDiskAfterMs: readSeconds(
        "sleep to disk after",
        values["sleep-to-disk-after"] ?? env.UNI_SLEEP_TO_DISK_AFTER ?? "60",
      ),
      pruneImagesAfterMs: readDays(
        "prune images after",
        values["prune-images-after"] ?? env.UNI_PRUNE_IMAGES_AFTER ?? "30",
      ),
      edgeBind: parseEdgeBind(values["edge-bind"] ?? env.UNI_EDGE_BIND ?? "0.0.0.0"),
      edgeProxies: parseEdgeProxies(values["edge-proxies"] ?? env.UNI_EDGE_PROXIES ?? ""),
      domain: readHostName(values.domain ?? env.UNI_DOMAIN ?? defaultDomain, false),
      acme: readAcmeOptions(values, env),
      registries: readRegistryOptions(values, env),
      pullTimeoutMs: readSeconds("wait for images", values["pull-timeout"] ?? env.UNI_PULL_TIMEOUT ?? "60"),
    },
  };
}

const optionNames = {
  "boot-cache": { type: "string" },
  "data-dir": { type: "string" },
  listen: { type: "string" },
  socket: { type: "string" },
  "cache-dir": { type: "string" },
  domain: { type: "string" },
  "edge-bind": { type: "string" },
  "edge-proxies": { type: "string" },
  "log-format": { type: "string" },
  "log-level": { type: "string" },
  "prune-images-after": { type: "string" },
  "sleep-to-disk-after": { type: "string" },
  ...acmeOptionNames,
  ...registryOptionNames,
  help: { type: "boolean", short: "h" },
  version: { type: "boolean", short: "V" },
} as const;

function parseOptions(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: optionNames, allowPositionals: false });
  } catch (error) {
    const { message } = error as Error;
    const [, unknown = ""] = /^Unknown option '--([\w-]+)/.exec(message) ?? [];
    const hint = nearHint(
      `--${unknown}`,
      Object.keys(optionNames).map((name) => `--${name}`),
      "See unid --help.",
    );
    throw new UniError("malformed", `read the options: ${message}`, { hint });
  }
}

function readMebibytes(what: string, text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text) * 2 ** 20;
  throw new UniError("invalid_value", `${what} '${text}': it is no number of MiB`, {
    hint: "For example 4096, or 0.",
  });
}

function readSeconds(what: string, text: string): number {
  const seconds = Number(text);
  if (/^\d{1,9}(\.\d+)?$/.test(text) && seconds <= longestSleepS) return Math.round(seconds * 1000);
  throw new UniError("invalid_value", `${what} '${text}': it is no number of seconds up to a year`, {
    hint: "For example 60, or 0.",
  });
}

function readDays(what: string, text: string): number {
  const days = Number(text);
  if (/^\d{1,4}(\.\d+)?$/.test(text)) return Math.round(days * 86_400_000);
  throw new UniError("invalid_value", `${what} '${text}': it is no number of days`, {
    hint: "For example 30, or 0.",
  });
}

/** An empty one is a variable that was not set, and not the directory that one happens to be in. */
function absolute(what: string, path: string): string {
  if (path !== "") return resolve(path);
  throw new UniError("invalid_value", `read the options: the path of the ${what} is empty`, {
    hint: "See unid --help.",
  });
}

function parseEdgeBind(text: string): string {
  if (isIPv4(text)) return text;
  throw new UniError("invalid_value", `publish services on '${text}': it is no IPv4 address`, {
    hint: "For example 0.0.0.0, which is all of this host's.",
  });
}

function parseEdgeProxies(text: string): readonly string[] {
  const networks = text.split(",").filter((part) => part !== "");
  for (const network of networks) {
    const [address = "", bits, ...rest] = network.split("/");
    const isLength = bits === undefined || (/^\d{1,2}$/.test(bits) && Number(bits) <= 32);
    if (isIPv4(address) && isLength && rest.length === 0) continue;
    throw new UniError(
      "invalid_value",
      `accept the PROXY protocol from '${network}': it is no network of IPv4 addresses`,
      { hint: "For example 10.0.0.5 or 10.0.0.0/24, with commas between several." },
    );
  }
  return networks;
}

export function parseListen(text: string): Config["listen"] {
  if (text === "off" || text === "") return undefined;
  const match = text.match(/^(\[[0-9a-fA-F:]+\]|[^:\s]+):(\d{1,5})$/);
  const port = Number(match?.[2]);
  if (match === null || port > 65535) {
    throw new UniError("invalid_value", `listen on '${text}': it is not HOST:PORT`, {
      hint: "For example 127.0.0.1:7420, or off.",
    });
  }
  return { host: (match[1] ?? "").replace(/^\[|\]$/g, ""), port };
}
