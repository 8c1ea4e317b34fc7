import type { CommandModule } from "../../define.ts";

export const caTrust: CommandModule = {
  examples: ["uni ca trust"],
  define(command, act) {
    command.action(
      act(async ({ client, out, signal }) => {
        const info = await client.call("Ca.Trust", {}, { signal });
        await out.show(info, { text: () => `${info.path}\n` });
        out.note(`This machine now trusts every certificate that ${info.subject} signs.`);
        out.note(
          "Browsers with a store of their own, such as Firefox, must import what 'uni ca export' prints.",
        );
        out.note(`To undo it: remove that file and run update-ca-certificates --fresh.`);
      }),
    );
  },
};
