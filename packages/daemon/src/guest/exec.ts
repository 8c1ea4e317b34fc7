import { terminalFields } from "./config-message.ts";
import { encodeFields, type FieldValue } from "./fields.ts";
import type { GuestExec, GuestExecSpec } from "./port.ts";
import type { GuestSession } from "./session.ts";
import { openGuestStream } from "./stream.ts";
import { encodeSize } from "./terminal-size.ts";
import { keys, types } from "./wire.ts";

const startTimeoutMs = 60_000;

export async function startExec(session: GuestSession, spec: GuestExecSpec): Promise<GuestExec> {
  const attempted = `run ${JSON.stringify(spec.argv[0] ?? "")} in the guest`;
  const stream = await openGuestStream(session, types.openExec, encodeExec(spec), {
    attempted,
    timeoutMs: startTimeoutMs,
  });
  const exitCode = stream.exit.then((exit) => exit.code);
  exitCode.catch(() => {});
  return {
    io: stream.io,
    stderr: stream.stderr,
    exitCode,
    async resize(rows, columns) {
      stream.send(types.resize, encodeSize({ rows, columns }));
    },
    async signal(number) {
      const payload = Buffer.alloc(4);
      payload.writeUInt32LE(number);
      stream.send(types.streamSignal, payload);
    },
    async close() {
      stream.close();
    },
  };
}

function encodeExec(spec: GuestExecSpec): Buffer {
  const fields: [number, FieldValue][] = spec.argv.map((argument) => [keys.argument, argument]);
  for (const [name, value] of Object.entries(spec.env)) fields.push([keys.environment, `${name}=${value}`]);
  if (spec.user !== undefined) fields.push([keys.user, spec.user]);
  if (spec.workingDirectory !== undefined) fields.push([keys.workingDirectory, spec.workingDirectory]);
  if (spec.terminal !== undefined) fields.push(...terminalFields(spec.terminal));
  return encodeFields(fields);
}
