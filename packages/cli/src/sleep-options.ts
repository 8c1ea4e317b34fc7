import { UniError } from "@uni/contract/errors";
import { type Command, Option } from "commander";
import { parseSeconds } from "./parse/time-span.ts";

export interface SleepOptions {
  readonly scaleToZero?: "on" | "idle" | "off";
  readonly cooldown?: number;
  readonly stateful?: boolean;
  readonly notify?: number;
}

/** When an instance may fall asleep by itself; for `run`, `create` and `update`. */
export function addSleepOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        "--scale-to-zero <policy>",
        "sleep when idle: on (no open connection), idle (no traffic), off",
      ).choices(["on", "idle", "off"]),
    )
    .option(
      "--cooldown <time>",
      "how long it must be idle before, such as 0.5 or 10s (default: 1s)",
      parseSeconds,
    )
    .option("--stateful", "keep its memory while it sleeps; else it boots when it wakes")
    .option("--notify <time>", "tell its programs this long before it sleeps", parseSeconds);
}

const milliseconds = (seconds: number | undefined) =>
  seconds === undefined ? undefined : Math.round(seconds * 1000);

/** Undefined when nothing was said about it. */
export function sleepSetting({ scaleToZero, cooldown, stateful, notify }: SleepOptions) {
  const setting = {
    policy: scaleToZero,
    cooldown_time_ms: milliseconds(cooldown),
    stateful,
    notify_time_ms: milliseconds(notify),
  };
  const given = Object.entries(setting).filter(([, value]) => value !== undefined);
  return given.length === 0 ? undefined : (Object.fromEntries(given) as typeof setting);
}

/** On an instance that is made, the other options mean nothing without a policy. */
export function newSleepSetting(options: SleepOptions) {
  const setting = sleepSetting(options);
  if (setting !== undefined && setting.policy === undefined) {
    throw new UniError("malformed", "reading the options: --scale-to-zero is missing", {
      hint: "Say --scale-to-zero on or --scale-to-zero idle as well.",
    });
  }
  return setting;
}
