/** The agent of the one who builds, for RUN --mount=type=ssh: asked for its keys and for signatures, and for nothing else. */
import { createConnection } from "node:net";

const requestIdentities = 11;
const signRequest = 13;
const failure = Uint8Array.of(5);
const maxMessageBytes = 256 << 10;

/** One message (draft-miller-ssh-agent, 4) without its length; what the agent does not answer is a failure. */
export async function askAgent(path: string, message: Uint8Array): Promise<Uint8Array> {
  if (message[0] !== requestIdentities && message[0] !== signRequest) return failure;
  return await exchange(path, message).catch(() => failure);
}

async function exchange(path: string, message: Uint8Array): Promise<Uint8Array> {
  const socket = createConnection(path);
  try {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(message.length);
    socket.write(Buffer.concat([length, message]));
    let bytes = Buffer.alloc(0);
    for await (const chunk of socket) {
      bytes = Buffer.concat([bytes, chunk as Buffer]);
      const wanted = bytes.length < 4 ? undefined : bytes.readUInt32BE();
      if (wanted !== undefined && wanted > maxMessageBytes) break;
      if (wanted !== undefined && bytes.length >= 4 + wanted) return bytes.subarray(4, 4 + wanted);
    }
    return failure;
  } finally {
    socket.destroy();
  }
}
