import { UniError } from "@uni/contract/errors";
import type { RpcParams } from "@uni/contract/rpc-methods";
import { type Frame, frameKinds } from "@uni/contract/stream-frames";
import type { Context } from "../context.ts";
import { type CommandModule, collect } from "../define.ts";
import { driveExec } from "../exec-session.ts";
import { parseDirectory } from "../parse/directory.ts";
import { readEnvironment } from "../parse/environment.ts";
import { reportError } from "../report-error.ts";
import { programArguments } from "../run-options.ts";
import { requireTerminal, terminalSize } from "../terminal.ts";

interface ExecOptions {
  readonly interactive?: boolean;
  readonly tty?: boolean;
  readonly env?: readonly string[];
  readonly user?: string;
  readonly workdir?: string;
}

const longestCollected = 64 << 20;

function execParams(
  id: string,
  argv: readonly string[],
  { tty, env: given, user, workdir }: ExecOptions,
  own: NodeJS.ProcessEnv,
): RpcParams<"VM.Exec"> {
  const term: Record<string, string> = tty === true && own.TERM !== undefined ? { TERM: own.TERM } : {};
  const env = { ...term, ...readEnvironment(given, undefined, own) };
  return {
    id,
    argv: programArguments(argv),
    ...(Object.keys(env).length === 0 ? {} : { env }),
    ...(user === undefined ? {} : { user }),
    ...(workdir === undefined ? {} : { working_directory: workdir }),
    ...(tty === true ? { terminal: terminalSize(process.stdout) } : {}),
  };
}

function printFrames({ out }: Context): (frame: Frame) => Promise<void> | void {
  return ({ kind, payload }) => {
    if (kind === frameKinds.stdout) return out.bytes(out.stdout, payload);
    if (kind === frameKinds.stderr) return out.bytes(out.stderr, payload);
  };
}

/** As a shell says it: 127 when there is no such program, 126 when it cannot be run. The agent's own number is better than its words. */
function startFailureStatus({ cause, message }: UniError): number {
  const told = (cause as { exit_code?: unknown } | undefined)?.exit_code;
  if (told === 126 || told === 127) return told;
  return /no such|is missing|not a directory/i.test(message) ? 127 : 126;
}

/** A program that could not be started has a status too, as with Docker; other failures go their usual way. */
async function withStartStatus({ out }: Context, run: () => Promise<number>): Promise<number> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof UniError) || error.code !== "guest_failed") throw error;
    reportError(error, out.format, out.stderr);
    return startFailureStatus(error);
  }
}

class Collected {
  readonly #chunks: Uint8Array[] = [];
  #length = 0;

  add(chunk: Uint8Array): void {
    this.#length += chunk.length;
    if (this.#length > longestCollected) {
      throw new UniError("too_many", "collecting the program's output: it is over 64 MB", {
        hint: "Leave --output out: plain output has no limit.",
      });
    }
    this.#chunks.push(chunk);
  }

  text(): string {
    return Buffer.concat(this.#chunks).toString("utf8");
  }
}

export const exec: CommandModule = {
  examples: [
    "uni exec web ls -l /",
    "uni exec -it web sh",
    "uni exec -i db psql -U postgres < dump.sql",
    "uni exec -u nobody -w /tmp -e LANG=C web env",
  ],
  define(command, act) {
    command
      .argument("<name>", "instance")
      .argument("<command...>", "program and its arguments")
      .passThroughOptions()
      .option("-i, --interactive", "pass standard input on")
      .option("-t, --tty", "give the program a terminal")
      .option("-e, --env <key=value>", "environment variable; repeatable", collect)
      .option("-u, --user <user[:group]>", "user (default: the program's)")
      .option("-w, --workdir <path>", "working directory (default: the program's)", parseDirectory)
      .action(
        act(async (context, id: string, argv: string[], options: ExecOptions) => {
          const { client, out, signal, stdin } = context;
          const terminal = options.tty === true;
          const interactive = options.interactive === true;
          if (terminal && interactive) requireTerminal(stdin);
          if (terminal && out.structured) {
            throw new UniError("exclusive", "running interactively: --tty and --output do not go together");
          }
          const params = execParams(id, argv, options, context.env);
          return withStartStatus(context, async () => {
            const stream = await client.open("VM.Exec", params, { signal });
            const session = { interactive, terminal };
            if (!out.structured)
              return driveExec(context, stream, { ...session, onFrame: printFrames(context) });
            const stdout = new Collected();
            const stderr = new Collected();
            const exit_code = await driveExec(context, stream, {
              ...session,
              onFrame({ kind, payload }) {
                if (kind === frameKinds.stdout) stdout.add(payload);
                if (kind === frameKinds.stderr) stderr.add(payload);
              },
            });
            const value = { exit_code, stdout: stdout.text(), stderr: stderr.text() };
            await out.show(value, { text: () => "" });
            return exit_code;
          });
        }),
      );
  },
};
