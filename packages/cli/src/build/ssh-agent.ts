/** The agent of the one who builds, for RUN --mount=type=ssh: asked for its keys and for signatures, and for nothing else. */
import { createConnection } from "node:net";
import { takeMessage, withLength } from "@uni/contract/agent-messages";

const requestIdentities = 11;
const signRequest = 13;
const failure = Uint8Array.of(5);

/** One message (draft-miller-ssh-agent, 4) without its length; what the agent does not answer is a failure. */
export async function askAgent(path: string, message: Uint8Array): Promise<Uint8Array> {
  if (message[0] !== requestIdentities && message[0] !== signRequest) return failure;
  return await exchange(path, message).catch(() => failure);
}

async function exchange(path: string, message: Uint8Array): Promise<Uint8Array> {
  const socket = createConnection(path);
  try {
    socket.write(withLength(message));
    let bytes = Buffer.alloc(0);
    for await (const chunk of socket) {
      bytes = Buffer.concat([bytes, chunk as Buffer]);
      const answer = takeMessage(bytes);
      if (answer !== undefined) return answer;
    }
    return failure;
  } finally {
    socket.destroy();
  }
}
