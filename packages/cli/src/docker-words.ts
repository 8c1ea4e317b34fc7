/** What people type who know Docker (or Unikraft Cloud's own tools), and what Uni says in its place. */

/** Commands below a group there, and the command here; a name that is not in the list is the same here. */
const groups: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  container: { ls: ["ps"], list: ["ps"], prune: [] },
  instance: { ls: ["ps"], list: ["ps"], get: ["inspect"], remove: ["rm"], console: ["logs", "-f"] },
  image: {
    build: ["build"],
    history: ["history"],
    inspect: ["inspect", "--type", "image"],
    list: ["images"],
    load: ["load"],
    prune: ["prune"],
    pull: ["pull"],
    push: ["push"],
    remove: ["rmi"],
    rm: ["rmi"],
    save: ["save"],
    tag: ["tag"],
  },
  system: { df: ["df"], events: ["events"], info: ["info"], prune: ["prune"] },
  builder: { build: ["build"], prune: ["prune", "--build-cache"] },
  buildx: { build: ["build"], prune: ["prune", "--build-cache"] },
};

/** Groups whose other commands are Uni's top-level ones. */
const open: ReadonlySet<string> = new Set(["container", "instance"]);

const isOption = (word: string): boolean => word.startsWith("-");

/** The arguments in Uni's words: `container ls -a` is `ps -a`. What is Uni's own already stays as it is. */
export function ownWords(args: readonly string[]): readonly string[] {
  const [group = "", command = "", ...rest] = args;
  if (group === "-v" && args.length === 1) return ["--version"];
  if (!Object.hasOwn(groups, group) || command === "" || isOption(command)) return args;
  // Uni's own `image ls` is about the files of an image.
  if (group === "image" && command === "ls") return rest.every(isOption) ? ["images", ...rest] : args;
  const known = groups[group] ?? {};
  if (!Object.hasOwn(known, command)) return open.has(group) ? [command, ...rest] : args;
  const words = known[command] ?? [];
  return words.length === 0 ? args : [...words, ...rest];
}

const volumes =
  "There are no volumes yet; an instance's own disk stays until uni rm, and --rom brings files along.";
const network =
  "Every instance has an address of its own that this machine and other instances reach: uni ps.";
const machine = "It is a machine with a kernel of its own, where root may do everything: leave it out.";
const values = "-o json prints everything, for jq and scripts; -q the names alone.";
const hosts = "--host or UNI_HOST, and --socket or UNI_SOCKET, say which daemon is meant.";
const notHere = "Uni runs on one machine and has no such thing.";
const deploy = "Build an image and run it: uni build . -t NAME && uni run NAME.";
const unused =
  "uni ps lists them; uni ps -aq --filter state=stopped | xargs uni rm removes those that are stopped.";

const commandHints: Readonly<Record<string, string>> = {
  commit: "uni template create NAME keeps an instance to make others of; images are made by uni build.",
  compose: "There is no compose yet: uni run each of them; instances reach each other by their addresses.",
  container: unused,
  context: hosts,
  deploy,
  diff: "uni cp NAME:/path - brings files here, to compare.",
  export: "uni cp NAME:/ - writes all files of an instance as a tar.",
  import: "uni build DIRECTORY --rootfs makes an image of files, uni load takes an image's archive.",
  launch: deploy,
  network,
  node: notHere,
  pause: "uni suspend NAME puts it to sleep with its memory, uni start NAME wakes it.",
  port: "uni ps shows ports of this machine that lead to instances; uni expose adds one.",
  rename: "Names stay. A copy may have another one: uni branch NAME --name OTHER.",
  secret: "uni build --secret hands one to a build, uni run --env-file several to a program.",
  service: "uni services manages groups of instances with a name.",
  ssh: "uni exec -it NAME sh opens a shell in an instance.",
  stack: notHere,
  status: "uni ps lists instances, uni inspect NAME tells all of one.",
  swarm: notHere,
  system: "uni df, uni info, uni events and uni prune are what it has.",
  unpause: "uni start NAME wakes what sleeps.",
  up: "unid starts the daemon; uni run IMAGE an instance.",
  volume: volumes,
};

const runHints: Readonly<Record<string, string>> = {
  "-a": "--attach streams all that it prints.",
  "-h": "--hostname gives it a host name.",
  "-l": "An instance has tags: --tag. Labels belong to images.",
  "-P": "Say which ports: -p HOST:GUEST.",
  "-v": volumes,
  "--cap-add": machine,
  "--cap-drop": machine,
  "--device": machine,
  "--init": "The guest has an init already, which reaps what is left: leave it out.",
  "--label": "An instance has tags: --tag. Labels belong to images.",
  "--link": network,
  "--mount": volumes,
  "--net": network,
  "--network": network,
  "--ip": network,
  "--privileged": machine,
  "--publish-all": "Say which ports: -p HOST:GUEST.",
  "--security-opt": machine,
  "--stop-signal": "It is the image's: STOPSIGNAL in its Dockerfile.",
  "--tmpfs": "/run and /tmp need none: an instance's disk is its own.",
  "--ulimit": machine,
  "--volume": volumes,
};

const optionHints: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  run: runHints,
  create: runHints,
  exec: {
    "-d": "Let a shell leave it behind: uni exec NAME sh -c 'PROGRAM >/dev/null 2>&1 &'.",
    "--detach": "Let a shell leave it behind: uni exec NAME sh -c 'PROGRAM >/dev/null 2>&1 &'.",
    "--privileged": machine,
  },
  events: {
    "--since":
      "Events are not kept: it tells what happens from now on. uni inspect NAME has what became of one.",
    "--until": "uni events --limit COUNT ends after so many.",
  },
  prune: { "-a": "uni rmi NAME takes a name away; images without one are what is pruned." },
  update: { "--restart": "That is said when it is made: uni run --restart.", "--cpus": "Say --vcpus." },
};

/** What to type in place of a command that there is not. */
export const hintForCommand = (name: string): string | undefined =>
  Object.hasOwn(commandHints, name) ? commandHints[name] : undefined;

/** What to do without an option that a command does not have; of `-it` each letter is one. */
export function hintForOption(command: string, option: string): string | undefined {
  const hints = Object.hasOwn(optionHints, command) ? (optionHints[command] ?? {}) : {};
  const name = option.split("=")[0] ?? "";
  const names = /^-[^-]/.test(name) ? [...name.slice(1)].map((letter) => `-${letter}`) : [name];
  const known = names.find((each) => Object.hasOwn(hints, each));
  if (known !== undefined) return hints[known];
  return names.includes("--format") ? values : undefined;
}
