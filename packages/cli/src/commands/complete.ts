import type { Certificate } from "@uni/contract/resources/certificate";
import type { Instance } from "@uni/contract/resources/instance";
import type { ServiceGroup } from "@uni/contract/resources/service-group";
import { envelopeItems } from "@uni/sdk/envelope-items";
import { Command, type Option } from "commander";
import { commandTable } from "../command-table.ts";
import type { Context } from "../context.ts";
import type { CommandEntry, CommandModule } from "../define.ts";
import { addGlobalOptions } from "../globals.ts";
import { printable } from "../render/escape.ts";
import { servicesText } from "../render/services.ts";

interface Candidate {
  readonly value: string;
  readonly description?: string;
}

interface Place {
  readonly entry: CommandEntry;
  readonly command: Command;
  /** Words between the command's name and the word that is completed, options and their values left out. */
  readonly positionals: number;
  /** The option whose value it is that is completed. */
  readonly setting: Option | undefined;
}

const deadlineMs = 1500;
/** Commands whose later words belong to a program in the guest. */
const firstWordOnly: ReadonlySet<string> = new Set(["run", "create", "exec", "update", "attach", "logs"]);

async function describe(entry: CommandEntry): Promise<{ command: Command; module: CommandModule }> {
  const module = await entry.load();
  const command = new Command(entry.name);
  module.define(command, () => async () => {});
  addGlobalOptions(command);
  return { command, module };
}

function skipOptions(
  command: Command,
  words: readonly string[],
): { positionals: string[]; setting: Option | undefined } {
  const takeValues = command.options.filter((option) => option.required);
  const positionals: string[] = [];
  let setting: Option | undefined;
  for (const word of words) {
    if (setting !== undefined) setting = undefined;
    else if (word.startsWith("-"))
      setting = takeValues.find(({ short, long }) => word === short || word === long);
    else positionals.push(word);
  }
  return { positionals, setting };
}

const named = (entries: readonly CommandEntry[], name: string | undefined) =>
  entries.find((entry) => entry.name === name || entry.aliases?.includes(name ?? "") === true);

/** Walks down the table of commands along the words before the one that is completed. */
async function findPlace(before: readonly string[]): Promise<Place | readonly CommandEntry[]> {
  let entries = commandTable;
  let command = new Command();
  addGlobalOptions(command);
  let rest = before;
  for (;;) {
    const [name] = skipOptions(command, rest).positionals;
    const entry = named(entries, name);
    if (name === undefined || entry === undefined) return entries;
    const described = await describe(entry);
    command = described.command;
    rest = rest.slice(rest.indexOf(name) + 1);
    if (described.module.subcommands === undefined) {
      const { positionals, setting } = skipOptions(command, rest);
      return { entry, command, positionals: positionals.length, setting };
    }
    entries = described.module.subcommands;
  }
}

async function dynamicNames({ client, signal }: Context, entry: CommandEntry): Promise<Candidate[]> {
  const options = { signal, timeoutMs: deadlineMs };
  switch (entry.completes) {
    case "instances": {
      const vms = await client.call("VM.List", { all: true }, options);
      const suffix = entry.name === "cp" ? ":" : "";
      return vms.map((vm) => ({ value: vm.name + suffix, description: `${vm.state} ${vm.image}` }));
    }
    case "images":
    case "image-paths": {
      const images = await client.call("Image.List", {}, options);
      const suffix = entry.completes === "images" ? "" : ":/";
      return images.flatMap(({ references }) => references.map((name) => ({ value: name + suffix })));
    }
    case "pins": {
      const pins = await client.call("Image.Pins", {}, options);
      return pins.map(({ url = "", uuid = "" }) => ({ value: url, description: uuid }));
    }
    case "templates":
    case "checkpoints": {
      const operation = entry.completes === "templates" ? "getTemplateInstances" : "getCheckpointInstances";
      const found = envelopeItems<Instance>(
        await client.operation(operation, {}, options),
        "instances",
        "listing",
      );
      return found.map(({ name, image, image_ref = image }) => ({ value: name, description: image_ref }));
    }
    case "kernels": {
      const kernels = await client.call("Kernel.List", {}, options);
      return kernels.map(({ version, source }) => ({ value: version, description: source }));
    }
    case "services": {
      const envelope = await client.operation("getServiceGroups", {}, options);
      const groups = envelopeItems<ServiceGroup>(envelope, "service_groups", "completing");
      return groups.map(({ name, services }) => ({ value: name, description: servicesText(services) }));
    }
    case "certificates": {
      const envelope = await client.operation("getCertificates", {}, options);
      const certificates = envelopeItems<Certificate>(envelope, "certificates", "completing");
      return certificates.map(({ name, common_name, state }) => ({
        value: name,
        description: `${common_name} ${state}`,
      }));
    }
    default:
      return [];
  }
}

async function candidates(context: Context, words: readonly string[]): Promise<Candidate[]> {
  const current = words.at(-1) ?? "";
  const place = await findPlace(words.slice(0, -1));
  if (!("entry" in place)) {
    return place
      .filter(({ hidden }) => hidden !== true)
      .map(({ name, summary }) => ({ value: name, description: summary }));
  }
  if (place.setting !== undefined) return (place.setting.argChoices ?? []).map((value) => ({ value }));
  if (current.startsWith("-")) {
    return place.command.options
      .filter(({ hidden }) => !hidden)
      .map(({ long, short, description }) => ({
        value: long ?? short ?? "",
        description,
      }));
  }
  if (place.positionals > 0 && firstWordOnly.has(place.entry.name)) return [];
  // A daemon that cannot be asked leaves the shell without names, not with an error in the middle of the line.
  return dynamicNames(context, place.entry).catch(() => []);
}

export const complete: CommandModule = {
  examples: ["uni __complete -- logs w"],
  define(command, act) {
    command
      .argument("[words...]", "words after uni; the last is the one to complete")
      .passThroughOptions()
      .action(
        act(async (context, given: string[]) => {
          const words = given[0] === "--" ? given.slice(1) : given;
          const current = words.at(-1) ?? "";
          const all = await candidates(context, words);
          const found = all.filter(({ value }) => value.startsWith(current));
          await context.out.show(found, {
            text: () =>
              found
                .map(({ value, description }) =>
                  description === undefined
                    ? `${printable(value)}\n`
                    : `${printable(value)}\t${printable(description)}\n`,
                )
                .join(""),
          });
        }),
      );
  },
};
