import { toUniError, UniError } from "@uni/contract/errors";
import type { Log } from "../base/log.ts";
import { encodeBecoming, encodeConfig, encodeRefresh } from "./config-message.ts";
import type { EventQueue } from "./events.ts";
import { startExec } from "./exec.ts";
import { encodeFields, type Fields } from "./fields.ts";
import { createFileReader } from "./file-reader.ts";
import { createFileWriter } from "./file-writer.ts";
import { openInput } from "./input.ts";
import type { GuestChannel, GuestStats } from "./port.ts";
import type { GuestSession } from "./session.ts";
import { openGuestStream } from "./stream.ts";
import { childStatuses, failures, keys, maxNotice, ProtocolError, types } from "./wire.ts";

/** Generous: an emulated guest on a busy host is slow, and a deadline only has to end what would hang for ever. */
const deadlines = { configure: 120_000, request: 30_000, files: 60_000, powerOff: 60_000 };

const nothing = Buffer.alloc(0);

export function createChannel(session: GuestSession, events: EventQueue, log: Log): GuestChannel {
  const goodbye = Promise.withResolvers<void>();
  // It may be given up while the answer to the request before is still waited for.
  goodbye.promise.catch(() => {});
  session.onFrame = (frame) => {
    if (events.take(frame)) return;
    if (frame.type === types.goodbye) return goodbye.resolve();
    if (frame.type !== types.state) throw new ProtocolError(`unknown frame ${frame.type}`);
  };

  return {
    async configure(config) {
      const payload = encodeConfig(config, session.clock);
      await session.request(types.configure, payload, "configure the guest", deadlines.configure);
    },
    onEvent: (handler) => events.handle(handler),
    exec: (spec) => startExec(session, spec),
    openInput: (key) => openInput(session, key),
    async signal(number) {
      const payload = encodeFields([[keys.signal, { u32: number }]]);
      await session.request(types.signal, payload, `send signal ${number} to the program`, deadlines.request);
    },
    async stop(graceMs) {
      const payload = encodeFields([[keys.graceMs, { u32: Math.min(Math.trunc(graceMs), 0x7fffffff) }]]);
      await session.request(types.stop, payload, "stop the program", graceMs + deadlines.request);
    },
    async powerOff() {
      const cancel = session.clock.after(deadlines.powerOff, () =>
        goodbye.reject(toUniError(new Error("no goodbye came in time"), "power the guest off")),
      );
      try {
        await session.request(types.powerOff, nothing, "power the guest off", deadlines.powerOff);
        await Promise.race([goodbye.promise, session.closed]);
        // All output and the exit came before the goodbye; they are in our hands when the agent may go.
        await events.drained();
        session.send(0, types.goodbyeAck, nothing);
        log.debug({}, "the guest said goodbye");
      } finally {
        cancel();
      }
    },
    async readFiles(path) {
      const attempted = `read ${path} from the guest`;
      const payload = encodeFields([[keys.path, path]]);
      const options = { attempted, timeoutMs: deadlines.files };
      return createFileReader(await openGuestStream(session, types.openRead, payload, options), attempted);
    },
    async writeFiles(path) {
      const attempted = `write ${path} in the guest`;
      const payload = encodeFields([[keys.path, path]]);
      const options = { attempted, timeoutMs: deadlines.files };
      return createFileWriter(await openGuestStream(session, types.openWrite, payload, options), attempted);
    },
    async stats() {
      return statsOf(
        await session.request(types.stats, nothing, "ask the guest for its stats", deadlines.request),
      );
    },
    async notify(text) {
      const attempted = "notify the guest's programs";
      if (Buffer.byteLength(text) > maxNotice || text.includes("\n")) {
        throw new UniError(
          "invalid_value",
          `${attempted}: a notice is one line of at most ${maxNotice} bytes`,
        );
      }
      const payload = encodeFields([[keys.text, text]]);
      await session.request(types.notify, payload, attempted, deadlines.request);
    },
    async refresh(roms) {
      const payload = encodeRefresh(roms, session.clock);
      await session.request(types.refresh, payload, "set its clock, mount them", deadlines.request);
    },
    async become(becoming) {
      const payload = encodeBecoming(becoming, session.clock);
      const attempted = `let the guest go on as '${becoming.instance.name}'`;
      await session.request(types.become, payload, attempted, deadlines.configure);
    },
    async answerTemplate(request, failure) {
      const payload = encodeFields([
        [keys.request, { u32: request }],
        [keys.failure, { u32: failures[failure] }],
      ]);
      const attempted = "answer the guest's request for a template";
      // The guest's next request may arrive together with its reply.
      events.requests.answered("template-requested", request);
      await session.request(types.answerTemplate, payload, attempted, deadlines.request);
    },
    async answerFork(request, outcome) {
      const payload = encodeFields([
        [keys.request, { u32: request }],
        ...(typeof outcome === "string"
          ? [[keys.failure, { u32: failures[outcome] }] as const]
          : ([
              [keys.child, outcome.id],
              [keys.snapshot, outcome.snapshot],
              [keys.createdS, { u64: BigInt(Math.trunc(outcome.createdAtMs / 1000)) }],
            ] as const)),
      ]);
      events.requests.answered("fork-requested", request);
      await session.request(types.answerFork, payload, "answer the guest's fork", deadlines.request);
    },
    async childChanged({ id, status, exitCode = 0 }) {
      const payload = encodeFields([
        [keys.child, id],
        [keys.status, { u32: childStatuses[status] }],
        [keys.code, { u32: exitCode }],
      ]);
      await session.request(types.childChanged, payload, "tell the guest of its child", deadlines.request);
    },
    hold: () => session.hold(),
    closed: session.closed,
    close: () => session.close(),
  };
}

function statsOf(fields: Fields): GuestStats {
  return {
    memoryTotalKb: fields.number(keys.memoryTotalKb),
    memoryAvailableKb: fields.number(keys.memoryAvailableKb),
    cpuMs: fields.number(keys.cpuMs),
    processes: fields.number(keys.processes),
    diskUsedKb: fields.number(keys.diskUsedKb),
    diskTotalKb: fields.number(keys.diskTotalKb),
    connections: fields.number(keys.connections),
    inhibitors: fields.number(keys.inhibitors),
  };
}
