/** A static program that asks the SSH agent which keys it has, and prints the answer's type and their number. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Asks as told by the draft (draft-miller-ssh-agent, 4.4). */
const source = `#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
int main(void) {
  struct sockaddr_un at = { .sun_family = AF_UNIX };
  const char *path = getenv("SSH_AUTH_SOCK");
  unsigned char answer[9];
  if (path == NULL) { puts("none"); return 0; }
  strncpy(at.sun_path, path, sizeof at.sun_path - 1);
  int agent = socket(AF_UNIX, SOCK_STREAM, 0);
  if (connect(agent, (struct sockaddr *)&at, sizeof at) != 0) return 1;
  if (write(agent, "\\0\\0\\0\\1\\13", 5) != 5) return 2;
  for (int got = 0, now; got < 9; got += now)
    if ((now = read(agent, answer + got, 9 - got)) <= 0) return 3;
  printf("%d %d\\n", answer[4], answer[8]);
}
`;

export function compileAskAgent(): Buffer {
  const place = mkdtempSync(join(tmpdir(), "ask-agent-"));
  try {
    writeFileSync(join(place, "ask.c"), source);
    execFileSync("musl-gcc", ["-static", "-o", join(place, "ask"), join(place, "ask.c")]);
    return readFileSync(join(place, "ask"));
  } finally {
    rmSync(place, { recursive: true });
  }
}

/** The types of messages that an agent knows here. */
export const agentMessage = { failure: 5, requestIdentities: 11, identities: 12, removeAll: 19 } as const;

/** An agent that has no keys, and the types of the messages that it got. */
export async function startEmptyAgent(path: string): Promise<{ readonly got: number[]; close(): void }> {
  const got: number[] = [];
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", (message) => {
      got.push(message[4] ?? 0);
      socket.write(Buffer.from([0, 0, 0, 5, agentMessage.identities, 0, 0, 0, 0]));
    });
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(path, resolve);
  await promise;
  return { got, close: () => void server.close() };
}
