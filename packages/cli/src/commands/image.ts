import type { CommandEntry, CommandModule } from "../define.ts";

const group = "Commands:";

export const imageCommands: readonly CommandEntry[] = [
  {
    name: "ls",
    group,
    summary: "list files of an image",
    completes: "image-paths",
    load: async () => (await import("./image/ls.ts")).imageLs,
  },
  {
    name: "cat",
    group,
    summary: "print files of an image",
    completes: "image-paths",
    load: async () => (await import("./image/cat.ts")).imageCat,
  },
  {
    name: "cp",
    group,
    summary: "copy files out of an image",
    completes: "image-paths",
    load: async () => (await import("./image/cp.ts")).imageCp,
  },
  {
    name: "pin",
    group,
    summary: "bring images here and keep them, whatever is pruned",
    completes: "images",
    load: async () => (await import("./image/pin.ts")).imagePin,
  },
  {
    name: "pins",
    group,
    summary: "list what is pinned",
    load: async () => (await import("./image/pins.ts")).imagePins,
  },
  {
    name: "unpin",
    group,
    summary: "keep images no longer",
    completes: "pins",
    load: async () => (await import("./image/unpin.ts")).imageUnpin,
  },
];

export const image: CommandModule = {
  examples: ["uni image ls hello:/etc", "uni image cat hello:/etc/passwd", "uni image cp hello:/etc ."],
  subcommands: imageCommands,
  define() {},
};
