import type { CommandModule } from "../../define.ts";
import { forEachItem } from "../../items.ts";

export const certsRenew: CommandModule = {
  examples: ["uni certs renew www.example.com-3k2x8f1q"],
  define(command, act) {
    command.argument("<names...>", "certificates that unid obtains").action(
      act(async (context, names: string[]) => {
        const { client, signal } = context;
        return forEachItem(
          context,
          names,
          (name) => client.call("Certificate.Renew", { id: name }, { signal }),
          ({ name }) => `${name}\n`,
        );
      }),
    );
  },
};
