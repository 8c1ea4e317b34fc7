import type { CommandModule } from "../define.ts";
import { askPassword, readPipedPassword } from "../read-password.ts";
import { printable } from "../render/escape.ts";

interface Options {
  readonly username: string;
  readonly passwordStdin?: boolean;
  readonly validate: boolean;
}

export const login: CommandModule = {
  examples: ["uni login registry.example.com -u me --password-stdin <token.txt"],
  define(command, act) {
    command
      .argument("[registry]", "host; default: the one that images without a host in their name come from")
      .requiredOption("-u, --username <user>", "user, or what the registry wants in its place")
      .option("--password-stdin", "read the password from standard input, instead of asking for it")
      .option("--no-validate", "keep them without asking the registry")
      .action(
        act(async ({ client, out, signal, stdin }, registry: string | undefined, options: Options) => {
          const { username, validate } = options;
          const password = await (options.passwordStdin === true
            ? readPipedPassword(stdin)
            : askPassword(stdin, out));
          const given = registry === undefined ? {} : { registry };
          const kept = await client.call(
            "Registry.Login",
            { ...given, username, password, validate },
            { signal },
          );
          await out.show(kept, { text: () => `${printable(kept.registry)}\n` });
        }),
      );
  },
};
