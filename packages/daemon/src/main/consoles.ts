/** Clients at the input and output of an instance's program. */
import { Writable } from "node:stream";
import { UniError } from "@uni/contract/errors";
import type { InstanceId } from "@uni/contract/ids";
import type { ConsoleParams } from "@uni/contract/rpc-params";
import type { ConsoleSession } from "../api/port.ts";
import { signalNumber } from "../base/signals.ts";
import type { LiveInstance } from "../instances/lifecycle.ts";
import type { OutputFeed } from "../instances/output-feed.ts";
import type { Owners } from "../instances/owners.ts";
import type { InstanceRecord } from "../instances/record.ts";
import type { Registry } from "../instances/registry.ts";
import { followOutput } from "../operations/follow-output.ts";
import { type ExitWatch, isOver } from "../operations/wait-exit.ts";
import type { Transitions } from "./transitions.ts";

export interface ConsoleDependencies {
  readonly registry: Registry;
  readonly owners: Owners;
  readonly feed: OutputFeed;
  readonly exits: ExitWatch;
  readonly requireLive: (id: InstanceId, what: string) => Promise<LiveInstance>;
}

/** Nobody knows the program's status when its machine was killed or broke down. */
const unknownStatus = 137;

export function createConsoles(deps: ConsoleDependencies, { start, waitFor }: Transitions) {
  const { registry, owners, feed, exits, requireLive } = deps;

  return async function openConsole(
    id: InstanceId,
    { start: starts = false, terminal }: Omit<ConsoleParams, "id">,
    signal: AbortSignal,
  ): Promise<ConsoleSession> {
    const owner = owners.of(id);
    const { input } = owner;
    const store = await owner.logStore();
    const record = registry.get(id);
    const { tty, stdinOpen } = record.spec;
    if (!starts && isOver(record)) {
      throw new UniError("wrong_state", `attach to instance '${record.name}': it is stopped`, {
        hint: `uni start -ai ${record.name} starts it.`,
      });
    }
    const idle = owner.sessions.begin();
    const leave = input.enter();
    const output = followOutput({ id, store, feed, registry }, signal);
    const close = async () => {
      output.close();
      leave();
      idle();
    };
    const reach = async () => {
      await waitFor(id, isSettled)(Number.POSITIVE_INFINITY, signal);
      return (await requireLive(id, "type to")).channel;
    };
    try {
      if (tty && terminal !== undefined) input.resize(terminal);
      if (starts) await start(id, { waitMs: 0 }, signal);
      else if (owner.live !== undefined && record.status.state === "running")
        input.reached(owner.live.channel);
    } catch (error) {
      await close();
      throw error;
    }
    return {
      output: output.pieces,
      stdin: new Writable({
        write: (chunk: Buffer, _encoding, done) => {
          if (!stdinOpen) return done();
          input.write(chunk, reach).then(() => done(), done);
        },
        final: (done) => {
          if (!stdinOpen) return done();
          input.end(reach).then(() => done(), done);
        },
      }),
      result: exits.wait(id, signal).then(({ status }) => ({ exit_code: status.exitCode ?? unknownStatus })),
      resize: async (rows, columns) => {
        if (tty) input.resize({ rows, columns });
      },
      signal: async (name) => {
        const number = signalNumber(name);
        await (await requireLive(id, `send ${name} to`)).channel.signal(number);
      },
      close,
    };
  };
}

/** Neither on its way to run, nor from one run to the next. */
const isSettled = (record: InstanceRecord | undefined): boolean =>
  record === undefined || isOver(record) || ["running", "standby"].includes(record.status.state);
