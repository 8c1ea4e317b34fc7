import type { RpcParams } from "@uni/contract/rpc-methods";
import { type Command, Option } from "commander";
import { parseCount } from "./parse/count.ts";

export interface StopOptions {
  readonly time?: number;
  readonly timeout?: number;
  readonly force?: boolean;
}

export function addStopOptions(command: Command): Command {
  return command
    .option(
      "-t, --time <seconds>",
      "time between the stop signal and SIGKILL (default: 30)",
      parseCount(0, 3600),
    )
    .addOption(
      new Option("--timeout <seconds>", "the same as --time").argParser(parseCount(0, 3600)).hideHelp(),
    )
    .option("--force", "kill it at once");
}

/** The longest grace period that there is, and time to act. */
export const stopDeadlineMs = 3_660_000;

/** The instance's own grace period holds unless one is asked for. */
export function stopParams(
  id: string,
  { timeout, time = timeout, force }: StopOptions,
): RpcParams<"VM.Stop"> {
  return { id, ...(force === true ? { force } : {}), ...(time === undefined ? {} : { grace_s: time }) };
}
