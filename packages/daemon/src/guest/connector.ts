import { UniError } from "@uni/contract/errors";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { createChannel } from "./channel.ts";
import { EventQueue } from "./events.ts";
import type { GuestChannel, GuestConnector } from "./port.ts";
import { openSession } from "./session.ts";
import { agentStates } from "./wire.ts";

export interface ConnectorDependencies {
  readonly clock: Clock;
  readonly log: Log;
}

/** How long a connect may take until the agent answers; a busy emulated guest needs a while, a dead one never does. */
const answerTimeoutMs = 30_000;
/** While a guest boots nobody listens at first, or QEMU accepts and nobody answers: tried again so often. */
const bootRetryMs = 20;

export function createGuestConnector({ clock, log }: ConnectorDependencies): GuestConnector {
  return {
    async connect(socketPath, { logOffset, signal }) {
      const patience = new AbortController();
      const cancel = clock.after(answerTimeoutMs, () =>
        patience.abort(
          new UniError(
            "guest_unreachable",
            `talk to the agent on ${socketPath}: no answer in ${answerTimeoutMs} ms`,
          ),
        ),
      );
      let channel: GuestChannel | undefined;
      try {
        await openSession(
          { socketPath, logOffset, clock, signal: AbortSignal.any([signal, patience.signal]) },
          (session) => {
            channel = createChannel(
              session,
              new EventQueue(session, log, logOffset === "anew" ? 0 : logOffset),
              log,
            );
          },
        );
      } finally {
        cancel();
      }
      return channel as GuestChannel;
    },

    async awaitBooted(socketPath, signal) {
      for (;;) {
        signal.throwIfAborted();
        try {
          // The hello waits in the kernel of the booting guest, or in QEMU, until the agent reads it.
          const { session, state } = await openSession({ socketPath, logOffset: 0, clock, signal });
          await session.close();
          if (state === agentStates.waiting) return;
          throw new UniError(
            "wrong_state",
            `boot the guest on ${socketPath}: its agent is configured already`,
          );
        } catch (error) {
          if (!(error instanceof UniError) || error.code !== "guest_unreachable") throw error;
          await clock.sleep(bootRetryMs, signal);
        }
      }
    },
  };
}
