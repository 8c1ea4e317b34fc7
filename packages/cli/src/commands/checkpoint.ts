import type { CommandEntry, CommandModule } from "../define.ts";

const group = "Commands:";
const shared = async () => {
  const { checkpointWords, inspectOf, lsOf, rmOf, updateOf } = await import("../saved-commands.ts");
  return {
    ls: lsOf(checkpointWords),
    inspect: inspectOf(checkpointWords),
    update: updateOf(checkpointWords),
    rm: rmOf(checkpointWords),
  };
};

const checkpointCommands: readonly CommandEntry[] = [
  {
    name: "create",
    group,
    summary: "keep instances as they are now, memory and disk; they go on",
    completes: "instances",
    load: async () => (await import("./checkpoint/create.ts")).checkpointCreate,
  },
  {
    name: "ls",
    group,
    summary: "list checkpoints",
    aliases: ["list"],
    load: async () => (await shared()).ls,
  },
  {
    name: "history",
    group,
    summary: "list the checkpoints that an instance came from, newest first",
    completes: "instances",
    load: async () => (await import("./checkpoint/history.ts")).checkpointHistory,
  },
  {
    name: "inspect",
    group,
    summary: "show everything about checkpoints, as JSON",
    completes: "checkpoints",
    load: async () => (await shared()).inspect,
  },
  {
    name: "update",
    group,
    summary: "change tags, delete lock and autokill",
    completes: "checkpoints",
    load: async () => (await shared()).update,
  },
  {
    name: "rm",
    group,
    summary: "remove checkpoints; instances that were made of them stay",
    completes: "checkpoints",
    load: async () => (await shared()).rm,
  },
];

export const checkpoint: CommandModule = {
  examples: ["uni checkpoint create web --name before", "uni rewind web before"],
  subcommands: checkpointCommands,
  define() {},
};
