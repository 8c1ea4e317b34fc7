import { randomBytes } from "node:crypto";
import type { Clock } from "../base/clock.ts";
import { encodeFields, type FieldValue } from "./fields.ts";
import type { GuestConfig } from "./port.ts";
import { keys } from "./wire.ts";

const seedBytes = 64;

export function encodeConfig(config: GuestConfig, clock: Clock): Buffer {
  const { program, network } = config;
  return encodeFields([
    [keys.hostname, config.hostname],
    [keys.address, network.address],
    [keys.gateway, network.gateway],
    ...network.nameservers.map((server): [number, FieldValue] => [keys.nameserver, server]),
    [keys.machineId, config.machineId],
    [keys.mode, { u32: config.mode === "maintenance" ? 1 : 0 }],
    ...program.argv.map((argument): [number, FieldValue] => [keys.argument, argument]),
    ...Object.entries(program.env).map(([name, value]): [number, FieldValue] => [
      keys.environment,
      `${name}=${value}`,
    ]),
    [keys.user, program.user],
    [keys.workingDirectory, program.workingDirectory],
    [keys.stopSignal, { u32: program.stopSignal }],
    ...momentFields(clock),
  ]);
}

/** The time and entropy that a restored or resumed guest lacks. */
export const encodeMoment = (clock: Clock): Buffer => encodeFields(momentFields(clock));

function momentFields(clock: Clock): [number, FieldValue][] {
  return [
    [keys.timeUs, { u64: BigInt(Math.trunc(clock.now() * 1000)) }],
    [keys.seed, randomBytes(seedBytes)],
  ];
}
