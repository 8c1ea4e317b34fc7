import { UniError } from "@uni/contract/errors";
import { Option } from "commander";
import type { CommandModule } from "../define.ts";
import { dataOf } from "../files/receive.ts";
import { writeWhole } from "../files/whole-file.ts";
import { startSpinner } from "../progress.ts";
import { formatBytes } from "../render/units.ts";

interface SaveOptions {
  readonly file?: string;
  readonly format: "oci" | "docker";
}

export const save: CommandModule = {
  examples: [
    "uni save hello -f hello.tar",
    "uni save web:1.2 db:7 --format docker | docker load",
    "uni save hello | ssh other uni load -",
  ],
  define(command, act) {
    command
      .argument("<images...>", "images, each by a name that it keeps in the archive, or by its digest")
      .option("-f, --file <path>", "file to write (default: standard output)")
      .addOption(
        new Option("--format <format>", "OCI archive, or what docker load takes")
          .choices(["oci", "docker"])
          .default("oci"),
      )
      .action(
        act(async ({ client, out, signal }, references: string[], { file, format }: SaveOptions) => {
          if (file === undefined && out.stdout.isTTY === true) {
            throw new UniError("malformed", "writing an archive to standard output: that is a terminal", {
              hint: "Give it a file with -f, or pipe it on.",
            });
          }
          const stream = await client.open("Image.Save", { references, format }, { signal });
          const spinner = startSpinner(out, "saving");
          let bytes = 0;
          const data = dataOf(stream, (count) => {
            bytes += count;
            spinner.update(`saving ${formatBytes(bytes)}`);
          });
          try {
            if (file === undefined) {
              for await (const chunk of data) await out.bytes(out.stdout, chunk);
              return;
            }
            await writeWhole(file, data);
          } finally {
            spinner.done();
            stream.close();
          }
          await out.show({ references, file, bytes }, { text: () => "", names: () => [] });
        }),
      );
  },
};
