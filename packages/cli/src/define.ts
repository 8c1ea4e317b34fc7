import type { Command } from "commander";
import type { Context } from "./context.ts";

/** Wraps a command's handler: gives it the context, and takes its number as exit status. */
// biome-ignore lint/suspicious/noConfusingVoidType: a handler that returns nothing ends with status 0
type Result = Promise<number | void>;
export type Act = <Args extends unknown[]>(
  handler: (context: Context, ...args: Args) => Result,
) => (...args: Args) => Promise<void>;

/** One command: what `commands/NAME.ts` exports. */
export interface CommandModule {
  readonly examples: readonly string[];
  /** Adds arguments, options and action to the bare command. */
  define(command: Command, act: Act): void;
  readonly subcommands?: readonly CommandEntry[];
}

/** A line of the table of commands: enough for the help; the rest is loaded when the command is used. */
export interface CommandEntry {
  readonly name: string;
  readonly group: string;
  readonly summary: string;
  readonly aliases?: readonly string[];
  readonly hidden?: boolean;
  /** What a shell completes the command's arguments with. */
  readonly completes?:
    | "instances"
    | "images"
    | "image-paths"
    | "pins"
    | "kernels"
    | "services"
    | "certificates"
    | "templates"
    | "checkpoints"
    | "files";
  load(): Promise<CommandModule>;
}

export function collect(value: string, before: readonly string[] | undefined): string[] {
  return [...(before ?? []), value];
}
