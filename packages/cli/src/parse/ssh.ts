import { readFileSync, statSync } from "node:fs";
import { UniError } from "@uni/contract/errors";
import { systemReason } from "../system-reason.ts";

export interface SshSources {
  /** Private keys by id, in base64. */
  readonly keys: Readonly<Record<string, readonly string[]>>;
  /** Ids that the agent stands for. */
  readonly agentIds: readonly string[];
  /** Its socket. */
  readonly agent: string | undefined;
}

const hint = "Write it as ID for your agent, or ID=FILE[,FILE] for private keys without a passphrase.";

/** `ID` (the agent of SSH_AUTH_SOCK), `ID=SOCKET` (another one), `ID=FILE[,FILE]`, as Docker has them. */
export function readSsh(texts: readonly string[], env: NodeJS.ProcessEnv): SshSources {
  const keys: Record<string, string[]> = {};
  const agents = new Map<string, string>();
  for (const text of texts) {
    const attempted = `reading --ssh '${text}'`;
    const id = text.split("=", 1)[0] ?? "";
    if (!/^[A-Za-z0-9_.-]+$/.test(id)) {
      throw new UniError("invalid_value", `${attempted}: it has no usable id`, { hint });
    }
    const files = text.slice(id.length + 1).split(",");
    const [first = ""] = files;
    const agent = first === "" ? agentOf(env, attempted) : isSocket(first) ? first : undefined;
    if (agent !== undefined) agents.set(id, agent);
    else keys[id] = files.map((file) => readKey(file, attempted).toString("base64"));
  }
  const [agent, ...others] = new Set(agents.values());
  if (others.length > 0) throw new UniError("exclusive", "reading --ssh: one agent alone can be handed on");
  return { keys, agentIds: [...agents.keys()], agent };
}

const isSocket = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isSocket() === true;

function agentOf({ SSH_AUTH_SOCK: path = "" }: NodeJS.ProcessEnv, attempted: string): string {
  if (path !== "" && isSocket(path)) return path;
  const reason = path === "" ? "SSH_AUTH_SOCK is not set" : `there is no agent at ${path}`;
  throw new UniError("not_found", `${attempted}: ${reason}`, { hint });
}

function readKey(file: string, attempted: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new UniError("not_found", `${attempted}: ${file}: ${systemReason(cause)}`, { hint, cause });
  }
}
