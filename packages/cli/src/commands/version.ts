import { UniError } from "@uni/contract/errors";
import type { CommandModule } from "../define.ts";
import { renderFields } from "../render/table.ts";
import { cliVersion } from "../version.ts";

const deadlineMs = 5000;

export const version: CommandModule = {
  examples: ["uni version", "uni version -o json"],
  define(command, act) {
    command.action(
      act(async ({ client, out, signal }) => {
        // Without a daemon there is still this program's version to tell.
        const daemon = await client
          .call("Daemon.Version", {}, { signal, timeoutMs: deadlineMs })
          .catch((error) => {
            signal.throwIfAborted();
            if (error instanceof UniError && (error.code === "unreachable" || error.code === "not_allowed"))
              return error;
            throw error;
          });
        const answer = daemon instanceof UniError ? undefined : daemon.version;
        await out.show(
          { client: cliVersion, daemon: answer ?? null },
          {
            text: () =>
              renderFields([
                ["uni", cliVersion],
                ["unid", answer ?? `not reached: ${(daemon as UniError).message}`],
              ]),
            names: () => [cliVersion],
          },
        );
      }),
    );
  },
};
