import { readFileSync } from "node:fs";

/** Differs between any two boots of the host (random(4)): process ids of another boot mean nothing. */
export const readBootId = (): string => readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
