import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type Frame, frameKinds } from "@uni/contract/stream-frames";
import { type FakeDaemon, type Peer, Stream, startFakeDaemon } from "../../../../test/kit/fake-daemon.ts";
import { uniMain } from "../../../../test/kit/run-uni.ts";
import { until } from "../../../../test/kit/until.ts";

/** What the shell on the pseudo-terminal does: notes the terminal's state around the command. */
const session = `
stty rows 30 cols 90
tty > "$DIR/tty"
stty -g > "$DIR/before"
"$NODE" "$MAIN" exec -it web sh
echo $? > "$DIR/status"
stty -g > "$DIR/after"
`;

interface Terminal {
  readonly directory: string;
  readonly type: (text: string) => void;
  readonly note: (name: string) => string;
  /** All that the terminal showed, once the shell on it has ended. */
  readonly shown: Promise<string>;
}

async function onTerminal(daemon: FakeDaemon, use: (terminal: Terminal) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "uni-pty-"));
  // script(1) of util-linux: runs the command on a pseudo-terminal and passes its own input on.
  const child = spawn("/usr/bin/script", ["-q", "-e", "-c", session, "/dev/null"], {
    env: {
      PATH: process.env.PATH,
      SHELL: "/bin/sh",
      TERM: "xterm",
      DIR: directory,
      NODE: process.execPath,
      MAIN: uniMain,
      UNI_SOCKET: daemon.socketPath,
    },
    stdio: ["pipe", "pipe", "inherit"],
  });
  const chunks: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  const shown = new Promise<string>((resolve) => {
    child.once("close", () => resolve(Buffer.concat(chunks).toString("utf8")));
  });
  try {
    await use({
      directory,
      type: (text) => void child.stdin.write(text),
      note: (name) => readFileSync(join(directory, name), "utf8").trim(),
      shown,
    });
  } finally {
    child.stdin.end();
    child.kill("SIGKILL");
    rmSync(directory, { recursive: true });
  }
}

const settings = (terminal: Terminal): string =>
  spawnSync("stty", ["-F", terminal.note("tty"), "-a"], { encoding: "utf8" }).stdout;

const textOf = ({ payload }: Frame): string => Buffer.from(payload).toString("utf8");

async function nextFrame(peer: Peer): Promise<Frame> {
  const { value } = await (peer.frames as AsyncIterableIterator<Frame>).next();
  assert.ok(value !== undefined, "the client went away");
  return value;
}

/** A daemon whose exec is played by the test. */
async function withExec(play: (peer: Peer, terminal: () => Terminal) => Promise<unknown>) {
  let terminal: Terminal | undefined;
  const failure = Promise.withResolvers<never>();
  const daemon = await startFakeDaemon({
    "VM.Exec": () =>
      new Stream((peer) =>
        play(peer, () => terminal as Terminal).catch((error) => {
          failure.reject(error);
          throw error;
        }),
      ),
  });
  return { daemon, failed: failure.promise, use: (given: Terminal) => (terminal = given) };
}

test("an interactive session is raw, follows the window's size, and gives the terminal back", async () => {
  const { daemon, failed, use } = await withExec(async (peer, terminal) => {
    await until("raw mode", () => settings(terminal()).includes("-icanon"));
    // Not a line and not an interrupt: a terminal in cooked mode would hold the first back and act on the second.
    terminal().type("ab");
    let typed = "";
    while (typed.length < 2) typed += textOf(await nextFrame(peer));
    assert.equal(typed, "ab");
    terminal().type("\u0003");
    assert.equal(textOf(await nextFrame(peer)), "\u0003");
    const size = spawnSync("stty", ["-F", terminal().note("tty"), "rows", "40", "cols", "100"]);
    assert.equal(size.status, 0);
    // stty sets rows and columns one after the other: each is a change of size.
    let resized = "";
    while (resized !== '{"rows":40,"columns":100}') {
      const frame = await nextFrame(peer);
      assert.equal(frame.kind, frameKinds.resize);
      resized = textOf(frame);
    }
    peer.send(frameKinds.stdout, "from the guest\r\n");
    return { exit_code: 5 };
  });
  try {
    await onTerminal(daemon, async (terminal) => {
      use(terminal);
      const shown = await Promise.race([terminal.shown, failed]);
      assert.match(shown, /from the guest/);
      assert.ok(!shown.includes("ab"), "nothing was echoed on this side");
      assert.equal(terminal.note("status"), "5");
      assert.equal(terminal.note("after"), terminal.note("before"));
      const { params } = daemon.calls[0] ?? {};
      assert.deepEqual(params?.terminal, { rows: 30, columns: 90 });
      assert.deepEqual(params?.env, { TERM: "xterm" });
    });
  } finally {
    await daemon.close();
  }
});

test("the terminal is given back when the daemon dies in the middle", async () => {
  const { daemon, failed, use } = await withExec(async (peer, terminal) => {
    terminal().type("x");
    assert.equal(textOf(await nextFrame(peer)), "x");
    peer.socket.destroy();
    return {};
  });
  try {
    await onTerminal(daemon, async (terminal) => {
      use(terminal);
      assert.match(await Promise.race([terminal.shown, failed]), /connection to unid was lost/);
      assert.equal(terminal.note("status"), "69");
      assert.equal(terminal.note("after"), terminal.note("before"));
    });
  } finally {
    await daemon.close();
  }
});
