/** A network namespace that takes part in a test: a fake guest at the end of a TAP, or a host outside. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { compiled } from "./compiled.ts";
import type { Answer, Question } from "./conversation.ts";
import type { ProcessRequest } from "./conversation-process.ts";

export interface Station {
  readonly name: string;
  ask(question: Question): Promise<Answer>;
  answer(name: string, port: number): Promise<void>;
  /** Runs a program in the namespace and returns its output; throws if it fails. */
  run(command: string, ...args: readonly string[]): string;
  end(): Promise<void>;
}

export interface GuestEnd {
  readonly tap: string;
  readonly uid: number;
  readonly address: string;
  readonly mac: string;
  readonly gateway: string;
}

export function ip(...lines: readonly string[]): void {
  execFileSync("ip", ["-batch", "-"], {
    input: `${lines.join("\n")}\n`,
    stdio: ["pipe", "ignore", "inherit"],
  });
}

/** A machine on the host's uplink: the host gets `hostAddress`, and its default route leads to `address`. */
export async function startOutside(name: string, address: string, hostAddress: string): Promise<Station> {
  ip(
    `netns add ${name}`,
    `link add up-${name} type veth peer name eth0 netns ${name}`,
    `address add ${hostAddress}/24 dev up-${name}`,
    `link set up-${name} up`,
    `route replace default via ${address}`,
  );
  execFileSync("ip", ["-n", name, "-batch", "-"], {
    input: `link set lo up\naddress add ${address}/24 dev eth0\nlink set eth0 up\n`,
  });
  return startStation(name, []);
}

/** Plays the machine that the TAP is for. */
export async function startGuest(name: string, end: GuestEnd): Promise<Station> {
  execFileSync("ip", ["netns", "add", name]);
  const cable = spawn(compiled("tap-cable"), [end.tap, String(end.uid), `/run/netns/${name}`, "eth0"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await firstLine(cable, `cable to ${end.tap}`);
  execFileSync("ip", ["-n", name, "-batch", "-"], {
    input: [
      "link set lo up",
      `link set eth0 address ${end.mac} up`,
      `address add ${end.address}/32 dev eth0`,
      `route add ${end.gateway}/32 dev eth0`,
      `route add default via ${end.gateway} dev eth0`,
      "",
    ].join("\n"),
  });
  return startStation(name, [cable]);
}

async function startStation(name: string, others: readonly ChildProcess[]): Promise<Station> {
  const script = join(import.meta.dirname, "conversation-process.ts");
  const inside = [`--net=/run/netns/${name}`, "--"];
  const talker = spawn("nsenter", [...inside, process.execPath, script], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const waiting = new Map<number, (result: string) => void>();
  createInterface({ input: talker.stdout }).on("line", (line) => {
    const { id, result } = JSON.parse(line) as { id: number; result: string };
    waiting.get(id)?.(result);
  });
  let lastId = 0;
  const request = (words: Omit<ProcessRequest, "id">) => {
    const { promise, resolve } = Promise.withResolvers<string>();
    lastId += 1;
    waiting.set(lastId, resolve);
    talker.stdin.write(`${JSON.stringify({ id: lastId, ...words })}\n`);
    return promise;
  };
  return {
    name,
    ask: (question) => request({ ask: question }),
    answer: async (answerName, port) => void (await request({ answer: { name: answerName, port } })),
    run: (command, ...args) =>
      execFileSync("nsenter", [...inside, command, ...args], {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "pipe"],
      }),
    async end() {
      const gone = [talker, ...others].map((child) => once(child, "exit"));
      for (const child of [talker, ...others]) child.kill("SIGKILL");
      await Promise.all(gone);
      execFileSync("ip", ["netns", "delete", name]);
    },
  };
}

async function firstLine(child: ChildProcess, what: string): Promise<void> {
  if (child.stdout === null) throw new Error(`${what}: no output to wait for`);
  const ended = once(child, "exit").then(([code]) => {
    throw new Error(`${what}: ended with ${code}`);
  });
  await Promise.race([once(child.stdout, "data"), ended]);
}
