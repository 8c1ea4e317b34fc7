import { UniError } from "@uni/contract/errors";
import type { BuildParams } from "@uni/contract/rpc-params";
import type { BuildRequest, BuildSource, ConfigChanges } from "../images/port.ts";
import type { AskAgent } from "../images/ssh-agent.ts";

export function buildRequest(params: BuildParams, ask?: AskAgent): BuildRequest {
  return {
    reference: params.reference,
    source: readSource(params, ask),
    base: params.base,
    changes: readChanges(params.config),
  };
}

function readSource(params: BuildParams, ask: AskAgent | undefined): BuildSource {
  switch (params.kind) {
    case "elf":
    case "program":
    case "root":
      return { kind: params.kind };
    case "image":
      if (params.image === undefined) throw new UniError("malformed", "build an image: 'image' is missing");
      return { kind: "image", image: params.image };
    case "context":
      return {
        kind: "context",
        dockerfile: params.dockerfile ?? "Dockerfile",
        target: params.target,
        buildArgs: params.build_args ?? {},
        secrets: Object.fromEntries(
          Object.entries(params.secrets ?? {}).map(([id, text]) => [id, Buffer.from(text, "base64")]),
        ),
        ssh: Object.fromEntries(
          Object.entries(params.ssh ?? {}).map(([id, keys]) => [
            id,
            keys.map((key) => Buffer.from(key, "base64")),
          ]),
        ),
        agent: ask === undefined ? undefined : { ids: params.ssh_agent ?? [], ask },
        contexts: params.contexts ?? [],
        noCache: params.no_cache ?? false,
      };
    default:
      return params.kind satisfies never;
  }
}

function readChanges({
  working_directory: workingDirectory,
  stop_signal: stopSignal,
  ...same
}: NonNullable<BuildParams["config"]> = {}): ConfigChanges {
  const changes = { ...same, workingDirectory, stopSignal };
  return Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined));
}
