import { UniError } from "@uni/contract/errors";
import { type Command, Option } from "commander";

export type OutputFormat = "table" | "json" | "yaml";

/** As one command has them; where its `-o` takes other values as well, these are all that were given. */
export interface OptionLayer extends Omit<GlobalOptions, "output"> {
  readonly output?: OutputFormat | readonly string[];
}

export interface GlobalOptions {
  readonly socket?: string;
  readonly host?: string;
  readonly token?: string;
  readonly output?: OutputFormat;
  readonly quiet?: boolean;
  readonly color?: boolean;
}

export type Target =
  | { readonly kind: "socket"; readonly path: string }
  | { readonly kind: "http"; readonly url: string; readonly token: string | undefined };

export const defaultSocket = "/var/run/unid.sock";

const outputFormats: readonly OutputFormat[] = ["table", "json", "yaml"];

export const isOutputFormat = (text: string): text is OutputFormat =>
  outputFormats.some((format) => format === text);

function globalOptions(): Option[] {
  return [
    new Option("--socket <path>", `unix socket of the daemon (env UNI_SOCKET; default ${defaultSocket})`),
    new Option("--host <url>", "daemon over TCP, such as http://127.0.0.1:8080 (env UNI_HOST)"),
    new Option("--token <token>", "bearer token for --host (env UNI_TOKEN)"),
    new Option("-o, --output <format>", "how to print results").choices(outputFormats),
    new Option("-q, --quiet", "print names or ids only"),
    new Option("--no-color", "no colour (as does NO_COLOR)"),
  ];
}

export const globalHeading = "Global options:";

/** Adds the options that stand before or after any command's name. */
export function addGlobalOptions(command: Command): void {
  for (const option of globalOptions()) {
    // `--no-color` would default to true and so hide a value given before the command's name.
    if (option.attributeName() === "color") option.default(undefined);
    if (command.options.some(({ long }) => long === option.long)) continue;
    command.addOption(option.helpGroup(globalHeading));
  }
}

/** Options that take a value, for those who look for the command's name among the arguments. */
export const valueOptions: ReadonlySet<string> = new Set(["--socket", "--host", "--token", "-o", "--output"]);

/** The ones nearest to the command win. */
export function mergeGlobals(layers: readonly OptionLayer[]): GlobalOptions {
  const merged: Record<string, unknown> = {};
  for (const { output, ...same } of layers) {
    const layer: GlobalOptions = {
      ...same,
      output: typeof output === "string" ? output : output?.findLast(isOutputFormat),
    };
    for (const key of ["socket", "host", "token", "output", "quiet", "color"] as const) {
      if (layer[key] !== undefined) merged[key] = layer[key];
    }
  }
  return merged;
}

/** The format as far as it can be told before the arguments are parsed: usage errors honour it too. */
export function formatFromArguments(args: readonly string[]): OutputFormat {
  for (const [index, argument] of args.entries()) {
    if (argument === "--") break;
    const inline = /^(?:--output|-o)=?(.+)$/.exec(argument)?.[1];
    const value = argument === "-o" || argument === "--output" ? args[index + 1] : inline;
    const format = outputFormats.find((known) => known === value);
    if (format !== undefined) return format;
  }
  return "table";
}

function httpTarget(host: string, token: string | undefined): Target {
  if (host.startsWith("unix://")) return { kind: "socket", path: host.slice("unix://".length) };
  const text = /^tcp:\/\//.test(host) ? host.replace("tcp:", "http:") : host;
  const url = /^https?:\/\//.test(text) ? text : `http://${text}`;
  if (!URL.canParse(url)) {
    throw new UniError("invalid_value", `reading --host '${host}': it is not a URL`, {
      hint: "Write it as http://127.0.0.1:8080.",
    });
  }
  return { kind: "http", url: url.replace(/\/+$/, ""), token };
}

/** Options win over the environment; --host over --socket. */
export function resolveTarget(options: GlobalOptions, env: NodeJS.ProcessEnv): Target {
  const token = options.token ?? env.UNI_TOKEN;
  if (options.host !== undefined) return httpTarget(options.host, token);
  if (options.socket !== undefined) return { kind: "socket", path: options.socket };
  if (env.UNI_HOST !== undefined && env.UNI_HOST !== "") return httpTarget(env.UNI_HOST, token);
  return {
    kind: "socket",
    path: env.UNI_SOCKET === undefined || env.UNI_SOCKET === "" ? defaultSocket : env.UNI_SOCKET,
  };
}
