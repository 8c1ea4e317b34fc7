import { randomBytes } from "node:crypto";
import type { Clock } from "../base/clock.ts";
import { encodeFields, type FieldValue } from "./fields.ts";
import type { GuestBecoming, GuestConfig, GuestIdentity, GuestProgram, GuestRom } from "./port.ts";
import { clampSize } from "./terminal-size.ts";
import { becomingKinds, keys } from "./wire.ts";

const seedBytes = 64;

type Field = [key: number, value: FieldValue];

export function encodeConfig(config: GuestConfig, clock: Clock): Buffer {
  const { program } = config;
  return encodeFields([
    ...identityFields(config),
    [keys.mode, { u32: config.mode === "maintenance" ? 1 : 0 }],
    ...program.argv.map((argument): Field => [keys.argument, argument]),
    ...Object.entries(program.env).map(([name, value]): Field => [keys.environment, `${name}=${value}`]),
    [keys.user, program.user],
    [keys.workingDirectory, program.workingDirectory],
    [keys.stopSignal, { u32: program.stopSignal }],
    ...(program.terminal === undefined ? [] : terminalFields(program.terminal)),
    ...(program.stdinOpen === true ? [[keys.stdin, { u32: 1 }] satisfies Field] : []),
    ...momentFields(clock),
  ]);
}

export const terminalFields = ({ rows, columns }: NonNullable<GuestProgram["terminal"]>): Field[] => [
  [keys.rows, { u32: clampSize(rows) }],
  [keys.columns, { u32: clampSize(columns) }],
];

export function encodeBecoming(becoming: GuestBecoming, clock: Clock): Buffer {
  return encodeFields([
    ...identityFields(becoming),
    [keys.kind, { u32: becomingKinds[becoming.kind] }],
    [keys.mac, Buffer.from(becoming.mac.replaceAll(":", ""), "hex")],
    ...momentFields(clock),
  ]);
}

/** The time and entropy that a resumed guest lacks, and the ROMs that may have changed meanwhile. */
export const encodeRefresh = (roms: readonly GuestRom[], clock: Clock): Buffer =>
  encodeFields([...roms.map(romField), ...momentFields(clock)]);

function identityFields({ instance, hostname, network, machineId, roms }: GuestIdentity): Field[] {
  return [
    [keys.instanceId, instance.id],
    [keys.instanceName, instance.name],
    [keys.hostname, hostname],
    [keys.address, network.address],
    [keys.gateway, network.gateway],
    ...network.nameservers.map((server): Field => [keys.nameserver, server]),
    [keys.machineId, machineId],
    ...roms.map(romField),
  ];
}

function romField({ name, at, slot }: GuestRom): Field {
  const mounted: Field[] = at === undefined ? [] : [[keys.romAt, at]];
  return [keys.rom, encodeFields([[keys.romName, name], [keys.romSlot, { u32: slot }], ...mounted])];
}

function momentFields(clock: Clock): Field[] {
  return [
    [keys.timeUs, { u64: BigInt(Math.trunc(clock.now() * 1000)) }],
    [keys.seed, randomBytes(seedBytes)],
  ];
}
