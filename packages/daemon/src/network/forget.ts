/**
 * Makes the kernel forget connections of addresses that were given back: whoever gets the address next must not get its
 * predecessor's packets. Runs beside other changes, as it is slow; what is asked for meanwhile is done in one go.
 */
import type { Log } from "../base/log.ts";
import { deleteConnections, trackedSenders } from "../host/tracked-connections.ts";
import type { PublishedPort } from "./port.ts";

export interface Forgetter {
  /** Resolves when it is done. Never rejects: an instance must be able to stop. */
  forget(addresses: readonly string[]): Promise<void>;
  /** For crashes between giving back and forgetting. */
  forgetWhere(ask: (address: string) => boolean): Promise<void>;
  /** Ends what came to the guest at `address` through these: its next packet is one to the host itself. */
  forgetPublished(address: string, ports: readonly PublishedPort[]): Promise<void>;
  /**
   * A client that kept sending UDP while a port was not published is tracked as connected to the host itself, and each
   * packet keeps that alive: it would never be translated.
   */
  forgetUdpPorts(ports: readonly number[]): Promise<void>;
}

export function createForgetter(log: Log): Forgetter {
  let waiting: { readonly addresses: Set<string>; readonly done: Promise<void> } | undefined;
  let running: Promise<void> = Promise.resolve();

  const guarded = async (task: () => Promise<void>): Promise<void> => {
    try {
      await task();
    } catch (error) {
      log.warn({ err: error }, "could not delete tracked connections of addresses that were given back");
    }
  };

  const forgetWhere = (ask: (address: string) => boolean) =>
    guarded(async () => deleteConnections([...(await trackedSenders(ask))].flatMap(filtersFor)));

  return {
    forgetWhere,
    async forget(addresses) {
      if (addresses.length === 0) return;
      if (waiting === undefined) {
        const pending = new Set<string>();
        const done = running.then(async () => {
          waiting = undefined;
          // Most guests have no connection left when they stop: with several it pays to look first.
          if (pending.size > 1) await forgetWhere((address) => pending.has(address));
          else await guarded(() => deleteConnections([...pending].flatMap(filtersFor)));
        });
        waiting = { addresses: pending, done };
        running = done;
      }
      for (const address of addresses) waiting.addresses.add(address);
      await waiting.done;
    },
    forgetPublished: (address, ports) =>
      guarded(() =>
        deleteConnections(
          ports.map(
            ({ protocol, hostPort }) => `-p ${protocol} --orig-port-dst ${hostPort} --reply-src ${address}`,
          ),
        ),
      ),
    forgetUdpPorts: (ports) =>
      guarded(() => deleteConnections(ports.map((port) => `-p udp --orig-port-dst ${port}`))),
  };
}

/** What the guest opened, and what was opened to it, whatever address it was reached at. */
const filtersFor = (address: string): readonly string[] => [
  `--orig-src ${address}`,
  `--reply-src ${address}`,
];
