import { UniError } from "@uni/contract/errors";
import { Option } from "commander";
import { type CommandModule, collect } from "../define.ts";
import { isOutputFormat } from "../globals.ts";
import { saveArchive } from "../save-archive.ts";

interface SaveOptions {
  readonly output?: readonly string[];
  readonly format: "oci" | "docker";
}

export const save: CommandModule = {
  examples: [
    "uni save hello -o hello.tar",
    "uni save web:1.2 db:7 --format docker | docker load",
    "uni save hello | ssh other uni load -",
  ],
  define(command, act) {
    command
      .argument("<images...>", "images, each by a name that it keeps in the archive, or by its digest")
      .option(
        "-o, --output <where>",
        "file to write (default: standard output), or print as table, json or yaml; repeatable",
        collect,
      )
      .addOption(
        new Option("--format <format>", "OCI archive, or what docker load takes")
          .choices(["oci", "docker"])
          .default("oci"),
      )
      .action(
        act(async (context, references: string[], { output = [], format }: SaveOptions) => {
          const { out } = context;
          const [file, ...more] = output.filter((each) => !isOutputFormat(each));
          if (more.length > 0) throw new UniError("exclusive", "saving images: only one file can be given");
          if (file === undefined && out.stdout.isTTY === true) {
            throw new UniError("malformed", "writing an archive to standard output: that is a terminal", {
              hint: "Give it a file with -o, or pipe it on.",
            });
          }
          const bytes = await saveArchive(context, { references, format, file });
          // Standard output has the archive itself.
          if (file === undefined) return;
          await out.show({ references, file, bytes }, { text: () => "", names: () => [] });
        }),
      );
  },
};
