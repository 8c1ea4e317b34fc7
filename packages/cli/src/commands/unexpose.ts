import type { CommandModule } from "../define.ts";
import { type GuestPort, type HostPort, parseGuestPort, parseHostPort } from "../parse/exposed-port.ts";

export const unexpose: CommandModule = {
  examples: ["uni unexpose db 5432", "uni unexpose db 5432 -p 15432"],
  define(command, act) {
    command
      .argument("<name>", "instance")
      .argument("<port[/udp]>", "port in the instance", parseGuestPort)
      .option("-p, --port <[addr:]port>", "only this port of this machine (default: all)", parseHostPort)
      .action(
        act(async ({ client, out, signal }, id: string, guest: GuestPort, options: { port?: HostPort }) => {
          const updates = [{ prop: "ports", op: "del", value: [{ ...guest, ...options.port }] }] as const;
          const vm = await client.call("VM.Update", { id, updates: [...updates] }, { signal });
          await out.show(vm, { text: () => `${vm.name}\n` });
        }),
      );
  },
};
