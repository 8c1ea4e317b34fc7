/** What the guest is told: the image's config, with what the instance's owner asked for laid over it as Docker does. */
import { UniError } from "@uni/contract/errors";
import { signalNumber } from "../base/signals.ts";
import type { GuestConfig, GuestRom } from "../guest/port.ts";
import type { TerminalSize } from "../guest/terminal-size.ts";
import type { ImageConfig } from "../images/port.ts";
import { hostnameFor } from "../instances/names.ts";
import type { InstanceRecord } from "../instances/record.ts";

export interface GuestSurroundings {
  readonly gateway: string;
  readonly nameservers: readonly string[];
  readonly mode: GuestConfig["mode"];
  readonly roms: readonly GuestRom[];
  /** Of the program's terminal, if it has one. */
  readonly window: TerminalSize;
}

export function guestConfig(
  record: InstanceRecord,
  image: ImageConfig,
  around: GuestSurroundings,
): GuestConfig {
  const { spec } = record;
  const argv = programArguments(image, spec.entrypoint, spec.args);
  if (argv.length === 0) {
    throw new UniError("invalid_value", `start instance '${record.name}': its image names no program to run`);
  }
  const hostname = spec.hostname ?? hostnameFor(record.name);
  return {
    instance: { id: record.id, name: record.name },
    hostname,
    network: {
      address: record.address,
      gateway: around.gateway,
      nameservers: spec.nameserver === null ? around.nameservers : [spec.nameserver],
    },
    machineId: record.id.replaceAll("-", ""),
    roms: around.roms,
    mode: around.mode,
    program: {
      argv,
      env: { ...image.env, ...spec.env },
      user: spec.user ?? image.user,
      workingDirectory: spec.workingDirectory ?? image.workingDirectory,
      stopSignal: signalNumber(image.stopSignal === "" ? "SIGTERM" : image.stopSignal),
      ...(spec.tty ? { terminal: around.window } : {}),
      stdinOpen: spec.stdinOpen,
    },
  };
}

/**
 * An entry point of the owner's drops the image's arguments; arguments of the owner's replace them. An empty list of arguments
 * is none; an empty entry point takes the image's away and keeps its arguments.
 */
export function programArguments(
  image: Pick<ImageConfig, "entrypoint" | "cmd">,
  entrypoint: readonly string[] | null,
  args: readonly string[] | null,
): readonly string[] {
  const given = args ?? [];
  if (entrypoint !== null && entrypoint.length > 0) return [...entrypoint, ...given];
  const base = entrypoint === null ? image.entrypoint : [];
  return [...base, ...(given.length > 0 ? given : image.cmd)];
}
