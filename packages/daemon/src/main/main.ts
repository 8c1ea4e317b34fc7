/** unid: from options to a running daemon, and from a signal to its end. Instances outlive it. */
import { join } from "node:path";
import { errorTable, toUniError, UniError } from "@uni/contract/errors";
import { pino } from "pino";
import { startHttp } from "../api/http.ts";
import { startSocket } from "../api/socket.ts";
import { systemClock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { Teardown } from "../base/teardown.ts";
import { writeFileAtomic } from "../host/files.ts";
import { favour } from "../host/priority.ts";
import { registry } from "../registry/registry.ts";
import { compose } from "./compose.ts";
import { type Config, readConfig, usage } from "./config.ts";
import { claimDataDirectory, requireWritable } from "./data-directory.ts";
import { logText } from "./log-text.ts";
import { version } from "./version.ts";

async function run(config: Config): Promise<void> {
  const log = openLog(config);
  requireRoot();
  favour(process.pid, log);
  await claimDataDirectory(config.dataDirectory);
  await requireWritable(config.dataDirectory);
  const ended = Promise.withResolvers<{ stopInstances: boolean; reason: string }>();
  let address: string | undefined;
  const daemon = await compose({
    config,
    clock: systemClock,
    log,
    address: () => address,
    shutdown: (stopInstances) => ended.resolve({ stopInstances, reason: "asked through the API" }),
  });
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.once(signal, () => ended.resolve({ stopInstances: false, reason: signal }));
  }
  const recovered = daemon.recover();
  // Requests are answered while machines are taken over: each waits for its own instance's turn.
  const listeners = new Teardown();
  try {
    const socket = await startSocket(daemon.api, { path: config.socketPath, log });
    await listeners.add("socket", () => socket.close());
    if (config.listen !== undefined) {
      const http = await startHttp(daemon.api, {
        ...config.listen,
        log,
        plugins: [registry(daemon.registry)],
      });
      await listeners.add("http", () => http.close());
      address = http.address;
    }
  } catch (error) {
    await recovered.catch(() => {});
    await listeners.run();
    await daemon.close();
    throw error;
  }
  await writeFileAtomic(join(config.dataDirectory, "listen"), `${address ?? "off"}\n`, 0o644);
  log.info(
    { version, socket: config.socketPath, listen: address, dataDirectory: config.dataDirectory },
    "unid is up",
  );
  recovered.then(
    () => log.info({}, "recovery is complete"),
    (error) => log.error({ err: error }, "recovery failed"),
  );

  const { stopInstances, reason } = await ended.promise;
  log.info({ reason, stopInstances }, "unid ends");
  await recovered.catch(() => {});
  if (stopInstances) await daemon.stopAll();
  await listeners.run();
  await daemon.close();
}

function openLog({ logLevel: level, logFormat }: Config): Log {
  const options = { level, base: undefined, timestamp: pino.stdTimeFunctions.isoTime };
  const isText = (logFormat ?? (process.stdout.isTTY ? "text" : "json")) === "text";
  if (!isText) return pino(options);
  const colour = process.stdout.isTTY && process.env.NO_COLOR === undefined;
  return pino(options, logText(process.stdout, { colour }));
}

function requireRoot(): void {
  if (process.getuid?.() === 0) return;
  throw new UniError("host_unfit", "start unid: it does not run as root", {
    hint: "It makes network devices, and a user for each machine: run it with sudo.",
  });
}

async function main(): Promise<void> {
  // Else whoever looks for the owner of a port is told the name of a thread of Node's.
  process.title = "unid";
  const command = readConfig(process.argv.slice(2), process.env);
  switch (command.kind) {
    case "help":
      process.stdout.write(usage);
      return;
    case "version":
      process.stdout.write(`unid ${version}\n`);
      return;
    case "run":
      await run(command.config);
      // Timers and sockets of abandoned waits must not keep the process: everything that counts is closed.
      process.exit(0);
      break;
    default:
      command satisfies never;
  }
}

main().catch((thrown: unknown) => {
  const error = toUniError(thrown, "start unid");
  process.stderr.write(`Error: ${error.message}\n${error.hint === undefined ? "" : `Hint: ${error.hint}\n`}`);
  process.exit(errorTable[error.code].exit);
});
