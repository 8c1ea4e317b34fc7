import { once } from "node:events";
import { UniError } from "@uni/contract/errors";
import type { Context } from "../context.ts";
import type { CommandModule } from "../define.ts";
import { collectTunnels, type TunnelTarget } from "../parse/tunnel.ts";
import { type Listening, openTunnel } from "../tunnel.ts";

/** A name that is wrong is told now, not at the first connection. */
async function requireUp({ client, signal }: Context, { instance }: TunnelTarget): Promise<void> {
  const { name, state } = await client.call("VM.Get", { id: instance }, { signal });
  if (state !== "stopped") return;
  throw new UniError("wrong_state", `opening a tunnel to '${name}': it is stopped`, {
    hint: `Start it first: uni start ${name}`,
  });
}

export const tunnel: CommandModule = {
  examples: [
    "uni tunnel 5432:db:5432",
    "uni tunnel db:5432",
    "uni tunnel 8080:web:80 6379:cache:6379",
    "uni tunnel 192.0.2.1:8080:web:80",
  ],
  define(command, act) {
    command
      .argument(
        "<targets...>",
        "[[address:]local port:]instance:port (default: a free port of 127.0.0.1)",
        collectTunnels,
      )
      .addHelpText(
        "after",
        "\nCarries TCP connections to instances through the daemon's socket; nothing is exposed. Ctrl-C ends it.",
      )
      .action(
        act(async (context, targets: TunnelTarget[]) => {
          const { out, signal } = context;
          const open: Listening[] = [];
          try {
            await Promise.all(targets.map((target) => requireUp(context, target)));
            for (const target of targets) open.push(await openTunnel(context, target));
            const shown = targets.map(({ instance, port }, index) => ({
              address: open[index]?.address ?? "",
              instance,
              port,
            }));
            for (const each of shown) {
              await out.showItem(each, () => `${each.address} -> ${each.instance}:${each.port}\n`);
            }
            if (!signal.aborted) await once(signal, "abort");
            signal.throwIfAborted();
          } finally {
            for (const { close } of open) close();
          }
        }),
      );
  },
};
