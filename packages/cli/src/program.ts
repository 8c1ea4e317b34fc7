import { errorTable, UniError } from "@uni/contract/errors";
import { Command, CommanderError } from "commander";
import type { Context } from "./context.ts";
import type { Act, CommandEntry, CommandModule } from "./define.ts";
import { hintForCommand, hintForOption } from "./docker-words.ts";
import {
  addGlobalOptions,
  type GlobalOptions,
  globalHeading,
  mergeGlobals,
  type OptionLayer,
  valueOptions,
} from "./globals.ts";
import { ExitStatus } from "./report-error.ts";

/** Makes the context once the options are known. */
export type MakeContext = (options: GlobalOptions) => Context;

export interface ProgramOptions {
  readonly entries: readonly CommandEntry[];
  readonly makeContext: MakeContext;
  readonly onStatus: (status: number) => void;
  readonly version: string;
}

const intro = "Run container images, Dockerfiles and static programs as microVMs.";

const topExamples = [
  "uni build examples/hello -t hello      build an image from a Dockerfile",
  "uni run --name web -p 8080:8080 hello  run it as a microVM, detached",
  "uni logs -f web                        follow its output",
  "uni exec -it web sh                    open a shell in it",
  "uni stop web && uni rm web             stop it and remove it",
];

/** The command that the arguments name: the first that is neither an option nor the value of one. */
export function commandName(args: readonly string[]): string | undefined {
  for (let index = 0; index < args.length; index += 1) {
    const argument = args[index] ?? "";
    if (argument === "--") return args[index + 1];
    if (!argument.startsWith("-")) return argument;
    if (valueOptions.has(argument)) index += 1;
  }
  return undefined;
}

function layersOf(command: Command): OptionLayer[] {
  const layers: OptionLayer[] = [];
  for (let current: Command | null = command; current !== null; current = current.parent) {
    layers.unshift(current.opts<OptionLayer>());
  }
  return layers;
}

function actFor(command: Command, { makeContext, onStatus }: ProgramOptions): Act {
  return (handler) =>
    async (...args) => {
      const context = makeContext(mergeGlobals(layersOf(command)));
      onStatus((await handler(context, ...args)) ?? 0);
    };
}

/** Where there are commands they come first: what every one of them takes is in each one's help. */
function shortenGlobals(command: Command): void {
  const everywhere = command.options.filter(({ helpGroupHeading }) => helpGroupHeading === globalHeading);
  for (const option of everywhere) option.hideHelp();
  const words = everywhere.map(({ short, long }) => short ?? long).join(", ");
  command.addHelpText("after", `\nEvery command takes ${words}: see its help, as in uni ps --help.`);
}

export async function fillCommand(
  command: Command,
  module: CommandModule,
  options: ProgramOptions,
): Promise<void> {
  module.define(command, actFor(command, options));
  for (const entry of module.subcommands ?? []) await addCommand(command, entry, true, options);
  addGlobalOptions(command);
  if (module.subcommands !== undefined) {
    // In place of the program's own, which is inherited.
    command.commandsGroup("Commands:").helpCommand("help [command]", "show help of a command");
    shortenGlobals(command);
  }
  const lines = module.examples.map((example) => `  $ ${example}`);
  command.addHelpText("after", `\nExamples:\n${lines.join("\n")}`);
}

/** `load` false adds the line of the help alone. */
async function addCommand(
  parent: Command,
  entry: CommandEntry,
  load: boolean,
  options: ProgramOptions,
): Promise<void> {
  const command = parent.command(entry.name, { hidden: entry.hidden === true });
  command
    .helpGroup(entry.group)
    .aliases([...(entry.aliases ?? [])])
    .summary(entry.summary);
  command.description(entry.summary);
  command.enablePositionalOptions();
  if (load) await fillCommand(command, await entry.load(), options);
}

/** What Docker's words mean here goes before what is spelt nearly so; Commander puts that on a line of its own. */
function hintFor(message: string, guess: string | undefined, command: string | undefined): string {
  const [, unknown = ""] = /^unknown command '(.*)'$/.exec(message) ?? [];
  const [, option = ""] = /^unknown option '(.*)'$/.exec(message) ?? [];
  return (
    (command === undefined ? hintForCommand(unknown) : hintForOption(command, option)) ??
    guess?.replace(/^\((.*)\)$/, "$1") ??
    (command === undefined ? "See uni --help." : `See uni ${command} --help.`)
  );
}

function usageError(error: CommanderError, command: string | undefined): UniError {
  const [message = "", guess] = error.message.replace(/^error: /, "").split("\n");
  return new UniError("malformed", `reading the command line: ${message}`, {
    hint: hintFor(message, guess, command),
  });
}

const isNamed = (entry: CommandEntry, name: string | undefined): boolean =>
  entry.name === name || entry.aliases?.includes(name ?? "") === true;

/** The whole command line; only the command that `args` names is loaded. */
export async function buildProgram(args: readonly string[], options: ProgramOptions): Promise<Command> {
  const program = new Command("uni");
  program
    .description(intro)
    .usage("[options] COMMAND")
    .version(options.version, "-V, --version", "print the version of this program")
    .helpOption("-h, --help", "show help")
    .commandsGroup("Daemon:")
    .helpCommand("help [command]", "show help of a command")
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({ outputError() {} })
    .showSuggestionAfterError(true);
  addGlobalOptions(program);
  shortenGlobals(program);
  program.addHelpText("after", `\nExamples:\n${topExamples.map((line) => `  $ ${line}`).join("\n")}`);
  const first = commandName(args);
  const named = first === "help" ? commandName(args.slice(args.indexOf("help") + 1)) : first;
  if (first === "help" && named !== undefined && !options.entries.some((entry) => isNamed(entry, named))) {
    throw usageError(
      new CommanderError(1, "commander.unknownCommand", `unknown command '${named}'`),
      undefined,
    );
  }
  for (const entry of options.entries) {
    await addCommand(program, entry, isNamed(entry, named), options);
  }
  return program;
}

/** Runs the command line; usage errors become UniErrors, and asking for help is none. */
export async function runProgram(program: Command, args: readonly string[]): Promise<void> {
  try {
    await program.parseAsync(args, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.code === "commander.helpDisplayed" || error.code === "commander.version") return;
    if (error.code === "commander.help") {
      // `uni` and `uni kernel` alone: help went to stderr, which says all that there is to say.
      throw new ExitStatus(error.exitCode === 0 ? 0 : errorTable.malformed.exit);
    }
    const name = commandName(args);
    const known = program.commands.some(
      (each) => each.name() === name || each.aliases().includes(name ?? ""),
    );
    throw usageError(error, known ? name : undefined);
  }
}
