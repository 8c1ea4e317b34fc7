/** The CLI on a real pseudo-terminal: script(1) of util-linux makes it and passes its own input on. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { TestDaemon } from "./daemon.ts";
import { startProgram } from "./programs.ts";
import { until } from "./until.ts";

const root = join(import.meta.dirname, "../..");
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

export interface OnTerminal {
  type(text: string): void;
  /** Line ends are `\n`. Waits until the terminal shows it, anywhere in what was shown since the last such wait. */
  shows(text: string): Promise<void>;
  resize(rows: number, columns: number): void;
  /** The exit status and all that was shown. */
  readonly ended: Promise<{ readonly code: number | null; readonly shown: string }>;
  /** As when its window is closed. */
  hangUp(): Promise<void>;
}

export function onTerminal(daemon: TestDaemon, args: readonly string[]): OnTerminal {
  const directory = mkdtempSync(join(daemon.directory, "pty-"));
  const name = join(directory, "tty");
  const uni = [join(root, "bin/uni"), ...args].map(quoted).join(" ");
  const command = `stty rows 30 cols 90; tty >${quoted(name)}; exec ${uni}`;
  const running = startProgram("/usr/bin/script", ["-q", "-e", "-c", command, "/dev/null"], {
    env: { UNI_SOCKET: daemon.socket, SHELL: "/bin/sh", TERM: "xterm" },
  });
  // Each terminal on the way adds its own return.
  const shown = () => running.stdout().replaceAll(/\r+\n/g, "\n");
  let seen = 0;
  const tty = () =>
    until("the terminal is there", () => existsSync(name) && readFileSync(name, "utf8").trim());
  return {
    type: (text) => void running.child.stdin?.write(text),
    async shows(text) {
      const at = await until(
        `the terminal shows ${JSON.stringify(text)}`,
        () => {
          const found = shown().indexOf(text, seen);
          return found < 0 ? undefined : { found };
        },
        60_000,
      ).catch((error) => {
        throw new Error(`it shows ${JSON.stringify(shown())}`, { cause: error });
      });
      seen = at.found + text.length;
    },
    resize(rows, columns) {
      void tty().then((path) =>
        spawnSync("stty", ["-F", path, "rows", String(rows), "cols", String(columns)]),
      );
    },
    ended: running.ended.then(({ code }) => {
      rmSync(directory, { recursive: true, force: true });
      return { code, shown: shown() };
    }),
    async hangUp() {
      running.child.kill("SIGKILL");
      await running.ended;
    },
  };
}
