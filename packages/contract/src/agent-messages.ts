/** Messages between an SSH agent and its clients: a u32 length and as many bytes (draft-miller-ssh-agent, 3). */
import { UniError } from "./errors.ts";

/** As OpenSSH has it. */
const maxBytes = 256 << 10;

/** The first message of what has come, without its length, once all of it is there. */
export function takeMessage(bytes: Buffer): Buffer | undefined {
  if (bytes.length < 4) return undefined;
  const length = bytes.readUInt32BE();
  if (length === 0 || length > maxBytes) {
    throw new UniError("malformed", `read a message of an SSH agent: ${length} bytes`);
  }
  return bytes.length < 4 + length ? undefined : bytes.subarray(4, 4 + length);
}

export function withLength(message: Uint8Array): Buffer {
  const bytes = Buffer.alloc(4 + message.length);
  bytes.writeUInt32BE(message.length);
  bytes.set(message, 4);
  return bytes;
}
