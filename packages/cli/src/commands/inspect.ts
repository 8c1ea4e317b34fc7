import { UniError } from "@uni/contract/errors";
import { Option } from "commander";
import type { Context } from "../context.ts";
import type { CommandModule } from "../define.ts";
import { serialise } from "../output.ts";
import { parseTemplate } from "../render/template.ts";
import { exitStatusOf, reportError } from "../report-error.ts";

interface InspectOptions {
  readonly type?: "instance" | "image";
  readonly format?: (value: object) => string;
}

const missing = (error: unknown): boolean =>
  error instanceof UniError && (error.code === "not_found" || error.code === "image_not_found");

/** Lists of all instances or of all images would be half of an answer; a name that is near is one. */
function nearHintOf(errors: readonly unknown[]): { hint?: string } {
  const hints = errors.map((error) => (error instanceof UniError ? error.hint : undefined));
  const hint = hints.find((each) => each?.startsWith("Did you mean") === true);
  return hint === undefined ? {} : { hint };
}

async function lookUp({ client, signal }: Context, name: string, { type }: InspectOptions): Promise<object> {
  const image = () => client.call("Image.Get", { reference: name }, { signal });
  if (type === "image") return image();
  try {
    return await client.call("VM.Inspect", { id: name }, { signal });
  } catch (error) {
    if (type === "instance" || !missing(error)) throw error;
    return image().catch((second) => {
      // An image reference can be malformed where a name is not: the first failure is the one that was meant.
      throw missing(second)
        ? new UniError(
            "not_found",
            `inspecting '${name}': no such instance or image`,
            nearHintOf([error, second]),
          )
        : error;
    });
  }
}

export const inspect: CommandModule = {
  examples: [
    "uni inspect web",
    "uni inspect web db -o yaml",
    "uni inspect -f '{{.private_ip}}' web",
    "uni inspect --type image hello:latest",
  ],
  define(command, act) {
    command
      .argument("<names...>", "instances or images")
      .option("-f, --format <template>", "print each so: {{.private_ip}}, {{json .services}}", parseTemplate)
      .addOption(new Option("--type <type>", "look only there").choices(["instance", "image"]))
      .action(
        act(async (context, names: string[], options: InspectOptions) => {
          const { out } = context;
          const found: object[] = [];
          let status = 0;
          for (const name of names) {
            try {
              found.push(await lookUp(context, name, options));
            } catch (error) {
              context.signal.throwIfAborted();
              reportError(error, out.format, out.stderr);
              status ||= exitStatusOf(error);
            }
          }
          if (found.length === 0) return status;
          if (options.format !== undefined) {
            const { format } = options;
            out.stdout.write(found.map((value) => `${format(value)}\n`).join(""));
            return status;
          }
          const value = names.length === 1 ? found[0] : found;
          out.stdout.write(await serialise(value, out.format === "yaml" ? "yaml" : "json"));
          return status;
        }),
      );
  },
};
