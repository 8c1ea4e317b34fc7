import type { CommandModule } from "../../define.ts";

export const caExport: CommandModule = {
  examples: ["uni ca export > uni.pem", "uni ca export -o json"],
  define(command, act) {
    command.action(
      act(async ({ client, out, signal }) => {
        const info = await client.call("Ca.Get", {}, { signal });
        await out.show(info, { text: () => info.certificate });
      }),
    );
  },
};
