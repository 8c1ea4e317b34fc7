import type { CommandModule } from "../define.ts";

interface ShutdownOptions {
  readonly stop?: boolean;
}

export const shutdown: CommandModule = {
  examples: ["uni shutdown", "uni shutdown --stop"],
  define(command, act) {
    command.option("--stop", "stop all instances first").action(
      act(async ({ client, out, signal }, { stop }: ShutdownOptions) => {
        const params = stop === true ? { stop_instances: true } : {};
        const answer = await client.call("Daemon.Shutdown", params, { signal });
        await out.show(answer, { text: () => "" });
        out.note(
          stop === true
            ? "The daemon stops its instances and ends."
            : "The daemon ends; its instances go on.",
        );
      }),
    );
  },
};
