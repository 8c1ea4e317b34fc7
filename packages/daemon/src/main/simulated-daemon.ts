import {
  type SimulatedDaemon,
  type SimulatedHost,
  type SimulatedOptions,
  startDaemon,
  withHost,
} from "./simulated-node.ts";

/** A host of its own with one daemon, which is closed at the end. */
export function withDaemon(
  body: (daemon: SimulatedDaemon, host: SimulatedHost) => Promise<void>,
  options: SimulatedOptions = {},
): Promise<void> {
  return withHost(async (host) => {
    const daemon = await startDaemon(host, options);
    await body(daemon, host).finally(() => daemon.close());
  });
}
