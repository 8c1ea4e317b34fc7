/** Every command in the order of the help. A command's file is loaded when it is used. */
import type { CommandEntry } from "./define.ts";

const run = "Run programs:";
const watch = "Look at instances:";
const change = "Change instances:";
const copies = "Copies of instances:";
const edge = "Ports and services:";
const images = "Images:";
const daemon = "Daemon:";

export const commandTable: readonly CommandEntry[] = [
  {
    name: "run",
    group: run,
    summary: "create an instance of an image and start it",
    completes: "images",
    load: async () => (await import("./commands/run.ts")).run,
  },
  {
    name: "create",
    group: run,
    summary: "create an instance without starting it",
    completes: "images",
    load: async () => (await import("./commands/create.ts")).create,
  },
  {
    name: "exec",
    group: run,
    summary: "run another program in a running instance",
    completes: "instances",
    load: async () => (await import("./commands/exec.ts")).exec,
  },
  {
    name: "attach",
    group: run,
    summary: "follow an instance's console from now on",
    completes: "instances",
    load: async () => (await import("./commands/attach.ts")).attach,
  },
  {
    name: "cp",
    group: run,
    summary: "copy files out of an instance or into it",
    completes: "instances",
    load: async () => (await import("./commands/cp.ts")).cp,
  },

  {
    name: "ps",
    group: watch,
    summary: "list instances",
    aliases: ["ls"],
    load: async () => (await import("./commands/ps.ts")).ps,
  },
  {
    name: "logs",
    group: watch,
    summary: "show what an instance printed",
    completes: "instances",
    load: async () => (await import("./commands/logs.ts")).logs,
  },
  {
    name: "inspect",
    group: watch,
    summary: "show everything about instances or images, as JSON",
    completes: "instances",
    load: async () => (await import("./commands/inspect.ts")).inspect,
  },
  {
    name: "stats",
    group: watch,
    summary: "show what instances use",
    completes: "instances",
    load: async () => (await import("./commands/stats.ts")).stats,
  },
  {
    name: "top",
    group: watch,
    summary: "follow what instances use, in a table",
    completes: "instances",
    load: async () => (await import("./commands/stats.ts")).top,
  },
  {
    name: "wait",
    group: watch,
    summary: "wait until instances have stopped, and print their exit status",
    completes: "instances",
    load: async () => (await import("./commands/wait.ts")).wait,
  },
  {
    name: "events",
    group: watch,
    summary: "follow what happens to instances",
    load: async () => (await import("./commands/events.ts")).events,
  },

  {
    name: "start",
    group: change,
    summary: "start stopped instances, wake sleeping ones",
    completes: "instances",
    load: async () => (await import("./commands/start.ts")).start,
  },
  {
    name: "suspend",
    group: change,
    summary: "put instances to sleep with their memory; the next packet wakes them",
    completes: "instances",
    load: async () => (await import("./commands/suspend.ts")).suspend,
  },
  {
    name: "stop",
    group: change,
    summary: "stop instances",
    completes: "instances",
    load: async () => (await import("./commands/stop.ts")).stop,
  },
  {
    name: "restart",
    group: change,
    summary: "stop instances and start them again",
    completes: "instances",
    load: async () => (await import("./commands/restart.ts")).restart,
  },
  {
    name: "kill",
    group: change,
    summary: "kill instances, or send their programs a signal",
    completes: "instances",
    load: async () => (await import("./commands/kill.ts")).kill,
  },
  {
    name: "update",
    group: change,
    summary: "change properties of an instance",
    completes: "instances",
    load: async () => (await import("./commands/update.ts")).update,
  },
  {
    name: "rm",
    group: change,
    summary: "remove instances",
    completes: "instances",
    load: async () => (await import("./commands/rm.ts")).rm,
  },

  {
    name: "branch",
    group: copies,
    summary: "copy instances as they are now, memory and disk; they go on",
    completes: "instances",
    load: async () => (await import("./commands/branch.ts")).branch,
  },
  {
    name: "checkpoint",
    group: copies,
    summary: "keep instances as they are now, to come back to",
    load: async () => (await import("./commands/checkpoint.ts")).checkpoint,
  },
  {
    name: "rewind",
    group: copies,
    summary: "take instances back to checkpoints of them",
    completes: "instances",
    load: async () => (await import("./commands/rewind.ts")).rewind,
  },
  {
    name: "template",
    group: copies,
    summary: "manage templates: instances that others are made of at once",
    load: async () => (await import("./commands/template.ts")).template,
  },

  {
    name: "expose",
    group: edge,
    summary: "lead a port of this machine to a port of an instance",
    completes: "instances",
    load: async () => (await import("./commands/expose.ts")).expose,
  },
  {
    name: "unexpose",
    group: edge,
    summary: "take a port of this machine away from an instance",
    completes: "instances",
    load: async () => (await import("./commands/unexpose.ts")).unexpose,
  },
  {
    name: "tunnel",
    group: edge,
    summary: "reach ports of instances through local ports, without exposing them",
    completes: "instances",
    load: async () => (await import("./commands/tunnel.ts")).tunnel,
  },
  {
    name: "services",
    group: edge,
    summary: "manage service groups: names and ports that lead to instances",
    load: async () => (await import("./commands/services.ts")).services,
  },
  {
    name: "scale",
    group: edge,
    summary: "let the members of service groups follow their load",
    load: async () => (await import("./commands/scale.ts")).scale,
  },
  {
    name: "certs",
    group: edge,
    summary: "manage certificates of your own domains",
    load: async () => (await import("./commands/certs.ts")).certs,
  },
  {
    name: "ca",
    group: edge,
    summary: "export or trust the authority that signs local names",
    load: async () => (await import("./commands/ca.ts")).ca,
  },

  {
    name: "build",
    group: images,
    summary: "build an image from a Kraftfile, a Dockerfile, a program or a root directory",
    completes: "files",
    load: async () => (await import("./commands/build.ts")).build,
  },
  {
    name: "pull",
    group: images,
    summary: "pull images from their registries",
    load: async () => (await import("./commands/pull.ts")).pull,
  },
  {
    name: "load",
    group: images,
    summary: "load images from an OCI or Docker archive",
    completes: "files",
    load: async () => (await import("./commands/load.ts")).load,
  },
  {
    name: "save",
    group: images,
    summary: "write images to an OCI or Docker archive",
    completes: "images",
    load: async () => (await import("./commands/save.ts")).save,
  },
  {
    name: "images",
    group: images,
    summary: "list images",
    load: async () => (await import("./commands/images.ts")).images,
  },
  {
    name: "history",
    group: images,
    summary: "show how an image was made",
    completes: "images",
    load: async () => (await import("./commands/history.ts")).history,
  },
  {
    name: "image",
    group: images,
    summary: "look into images without running them",
    load: async () => (await import("./commands/image.ts")).image,
  },
  {
    name: "tag",
    group: images,
    summary: "give an image another name",
    completes: "images",
    load: async () => (await import("./commands/tag.ts")).tag,
  },
  {
    name: "rmi",
    group: images,
    summary: "remove images",
    completes: "images",
    load: async () => (await import("./commands/rmi.ts")).rmi,
  },
  {
    name: "prune",
    group: images,
    summary: "remove images without a name that no instance uses, and other leftovers",
    load: async () => (await import("./commands/prune.ts")).prune,
  },

  {
    name: "info",
    group: daemon,
    summary: "show what the daemon is and has",
    load: async () => (await import("./commands/info.ts")).info,
  },
  {
    name: "df",
    group: daemon,
    summary: "show what takes room on the disk",
    load: async () => (await import("./commands/df.ts")).df,
  },
  {
    name: "version",
    group: daemon,
    summary: "show the versions of this program and of the daemon",
    load: async () => (await import("./commands/version.ts")).version,
  },
  {
    name: "doctor",
    group: daemon,
    summary: "check this machine",
    load: async () => (await import("./commands/doctor.ts")).doctor,
  },
  {
    name: "kernel",
    group: daemon,
    summary: "manage the kernels that instances boot",
    load: async () => (await import("./commands/kernel.ts")).kernel,
  },
  {
    name: "shutdown",
    group: daemon,
    summary: "end the daemon; instances go on",
    load: async () => (await import("./commands/shutdown.ts")).shutdown,
  },
  {
    name: "api",
    group: daemon,
    summary: "call an operation of the REST API",
    load: async () => (await import("./commands/api.ts")).api,
  },
  {
    name: "completion",
    group: daemon,
    summary: "print a completion script for a shell",
    load: async () => (await import("./commands/completion.ts")).completion,
  },
  {
    name: "__complete",
    group: daemon,
    summary: "list completions of a command line",
    hidden: true,
    load: async () => (await import("./commands/complete.ts")).complete,
  },
];
