/** The real agent, built with sanitizers, on this host in namespaces of its own, with a small root: for tests of the channel. */
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, before, beforeEach } from "node:test";
import { UniError } from "@uni/contract/errors";
import { systemClock } from "../../packages/daemon/src/base/clock.ts";
import { silentLog } from "../../packages/daemon/src/base/log.ts";
import { createGuestConnector } from "../../packages/daemon/src/guest/connector.ts";
import type {
  GuestChannel,
  GuestConfig,
  GuestEvent,
  GuestExecSpec,
} from "../../packages/daemon/src/guest/port.ts";
import { makeBusyboxRoot } from "./busybox-root.ts";
import { until } from "./until.ts";

const repository = join(import.meta.dirname, "../..");
const program = join(repository, "build/guest/agent-test");
const signal = AbortSignal.timeout(120_000);
const connector = createGuestConnector({ clock: systemClock, log: silentLog });

/** An agent for each test of a file, checked at the test's end for what the sanitizers found. */
export class TestAgent {
  root = "";
  ended: Promise<unknown> = Promise.resolve();
  #directory = "";
  #process: ChildProcess | undefined;
  #complaints = "";
  readonly #channels: GuestChannel[] = [];

  static forEachTest(): TestAgent {
    const agent = new TestAgent();
    before(() => {
      execFileSync("make", ["-s", "-C", join(repository, "native/guest"), "agent-test"]);
    });
    beforeEach(() => agent.#begin());
    afterEach(() => agent.#end());
    return agent;
  }

  async connect(logOffset: number | "anew" = 0): Promise<GuestChannel> {
    const channel = await connector.connect(this.#socketPath, { logOffset, signal });
    this.#channels.push(channel);
    return channel;
  }

  awaitBooted(): Promise<void> {
    return connector.awaitBooted(this.#socketPath, signal);
  }

  async start(argv: readonly string[], change: Partial<GuestConfig> = {}) {
    const channel = await this.connect();
    const seen = collect(channel);
    await channel.configure(configOf(argv, change));
    return { channel, seen };
  }

  maintenance() {
    return this.start([], { mode: "maintenance" });
  }

  get #socketPath(): string {
    return join(this.#directory, "socket");
  }

  async #begin(): Promise<void> {
    this.#directory = mkdtempSync(join(tmpdir(), "agent-"));
    this.root = join(this.#directory, "root");
    mkdirSync(this.root);
    makeBusyboxRoot(this.root);
    // A shell opens it for what it starts in the background; without it, that never runs.
    execFileSync("mknod", ["-m", "666", join(this.root, "dev/null"), "c", "1", "3"]);
    this.#complaints = "";
    const unshare = ["--mount", "--pid", "--uts", "--net", "--fork", "--kill-child", "--mount-proc"];
    // Ends with this process, also when that is killed.
    const command = [
      "--pdeathsig",
      "KILL",
      "--",
      "unshare",
      ...unshare,
      program,
      this.#socketPath,
      this.root,
    ];
    const agent = spawn("setpriv", command, {
      stdio: ["ignore", "ignore", "pipe"],
      env: { ASAN_OPTIONS: "detect_leaks=0" },
    });
    this.#process = agent;
    this.ended = new Promise((resolve) => agent.once("exit", resolve));
    agent.stderr?.on("data", (chunk) => {
      this.#complaints += chunk;
    });
    await until("the agent listens", () => existsSync(this.#socketPath));
  }

  async closeAll(): Promise<void> {
    for (const channel of this.#channels.splice(0)) await channel.close();
  }

  async #end(): Promise<void> {
    await this.closeAll();
    this.#process?.kill("SIGKILL");
    await this.ended;
    rmSync(this.#directory, { recursive: true, force: true });
    assert.doesNotMatch(this.#complaints, /Sanitizer|runtime error/);
  }
}

export async function exec(
  channel: GuestChannel,
  argv: readonly string[],
  more: Partial<GuestExecSpec> = {},
  input = "",
) {
  const running = await channel.exec({ argv, env: {}, ...more });
  running.io.end(input);
  const [stdout, stderr, code] = await Promise.all([
    text(running.io),
    text(running.stderr),
    running.exitCode,
  ]);
  return { stdout, stderr, code };
}

export const fails = (pattern: RegExp) => (error: unknown) =>
  error instanceof UniError && pattern.test(error.message);

export const configOf = (argv: readonly string[], change: Partial<GuestConfig> = {}): GuestConfig => ({
  instance: { id: "11111111-1111-4111-8111-111111111111", name: "web" },
  hostname: "web",
  network: { address: "10.98.0.2", gateway: "169.254.1.1", nameservers: ["192.0.2.53"] },
  machineId: "0123456789abcdef0123456789abcdef",
  roms: [],
  mode: "run",
  program: { argv, env: { COLOUR: "blue" }, user: "", workingDirectory: "/srv/here", stopSignal: 15 },
  ...change,
});

/** Collects events; `wait` resolves with the first of a kind. */
export function collect(channel: GuestChannel) {
  const events: GuestEvent[] = [];
  channel.onEvent((event) => {
    events.push(event);
  });
  return {
    events,
    async wait<K extends GuestEvent["kind"]>(kind: K): Promise<Extract<GuestEvent, { kind: K }>> {
      await until(`an event ${kind}`, () => events.some((event) => event.kind === kind));
      return events.find((event) => event.kind === kind) as Extract<GuestEvent, { kind: K }>;
    },
    output(stream: "stdout" | "stderr"): string {
      return events.map((e) => (e.kind === "log" && e.stream === stream ? e.bytes.toString() : "")).join("");
    },
  };
}
