/**
 * Guests that do what a word in their program says, for tests: `serve` listens and runs until it is stopped, `exit CODE` ends
 * at once, `mute` never takes its configuration, `template` waits to become one. They live as long as their pretended machines, so a
 * second daemon finds them again.
 */
import { connect, type Socket } from "node:net";
import { PassThrough, Readable } from "node:stream";
import { UniError } from "@uni/contract/errors";
import type {
  ChildState,
  ForkedChild,
  GuestBecoming,
  GuestChannel,
  GuestConfig,
  GuestConnector,
  GuestEvent,
  GuestExec,
  GuestRom,
  RequestFailure,
} from "../guest/port.ts";
import type { FakeProcess, FakeWorld } from "../vmm/fake/world.ts";

type Request = Extract<GuestEvent, { kind: "template-requested" | "fork-requested" }>;

interface Guest {
  readonly process: FakeProcess;
  config: GuestConfig | undefined;
  /** What it went on as, once it has. */
  becoming: GuestBecoming | undefined;
  roms: readonly GuestRom[];
  /** Without an answer: said again to each host, but for one that connects anew. */
  requests: Request[];
  lastRequest: number;
  readonly answers: (RequestFailure | ForkedChild)[];
  readonly children: ChildState[];
  output: string;
  exit: Extract<GuestEvent, { kind: "exited" }> | undefined;
  /** Until somebody has acknowledged them. */
  unheard: GuestEvent[];
  handler: ((event: GuestEvent) => Promise<void> | void) | undefined;
}

export class ScriptedGuests {
  readonly #world: FakeWorld;
  readonly #guests = new WeakMap<FakeProcess, Guest>();
  channels = 0;
  /** Names of ROMs that no guest can mount. */
  readonly badRoms = new Set<string>();

  constructor(world: FakeWorld) {
    this.#world = world;
  }

  /** One daemon's way to the guests, until it is severed. `before` is called with the name of each step and may throw. */
  connector(
    before: (step: string) => Promise<void> | void = () => {},
  ): GuestConnector & { readonly sever: () => void } {
    const sockets = new Set<Socket>();
    return {
      sever: () => {
        for (const socket of sockets) socket.destroy();
      },
      connect: async (socketPath, { logOffset, signal }) => {
        await before("connect");
        signal.throwIfAborted();
        const guest = this.#guestOn(socketPath);
        const socket = await opened(socketPath);
        sockets.add(socket);
        socket.once("close", () => sockets.delete(socket));
        return this.#channel(guest, socket, logOffset, before);
      },
      awaitBooted: async () => {},
    };
  }

  /** The program of an instance ends by itself. */
  async end(id: string, code: number): Promise<void> {
    const guest = this.#guestOf(id);
    if (guest?.config !== undefined || guest?.becoming !== undefined) await endProgram(guest, code);
  }

  /** A program of the instance writes to the file of that name. */
  request(id: string, kind: Request["kind"]): void {
    const guest = this.#guestOf(id);
    if (guest !== undefined) ask(guest, kind);
  }

  configOf(id: string): GuestConfig | undefined {
    return this.#guestOf(id)?.config;
  }

  becomingOf(id: string): GuestBecoming | undefined {
    return this.#guestOf(id)?.becoming;
  }

  romsOf(id: string): readonly GuestRom[] {
    return this.#guestOf(id)?.roms ?? [];
  }

  /** What its requests came to, and what it was told of its children, in order. */
  heardBy(id: string): Pick<Guest, "answers" | "children"> {
    return this.#guestOf(id) ?? { answers: [], children: [] };
  }

  #guestOf(id: string): Guest | undefined {
    const process = this.#world.processes.find((each) => each.spec.id === id);
    return process === undefined ? undefined : this.#guests.get(process);
  }

  #guestOn(socketPath: string): Guest {
    const process = this.#world.processes.find((each) => each.agentSocket === socketPath);
    if (process === undefined) throw new UniError("guest_unreachable", `reach ${socketPath}: nobody listens`);
    const known = this.#guests.get(process);
    if (known !== undefined) return known;
    const guest: Guest = {
      process,
      config: undefined,
      becoming: undefined,
      roms: [],
      requests: [],
      lastRequest: 0,
      answers: [],
      children: [],
      output: "",
      exit: undefined,
      unheard: [],
      handler: undefined,
    };
    this.#guests.set(process, guest);
    return guest;
  }

  #mount(guest: Guest, roms: readonly GuestRom[]): void {
    const bad = roms.find(({ name }) => this.badRoms.has(name));
    if (bad !== undefined) throw new UniError("guest_failed", `mount (EROFS) the ROM ${bad.name}: damaged`);
    guest.roms = roms;
  }

  #channel(
    guest: Guest,
    socket: Socket,
    logOffset: number | "anew",
    before: (step: string) => Promise<void> | void,
  ): GuestChannel {
    this.channels += 1;
    if (logOffset === "anew") forget(guest);
    let own: Guest["handler"];
    const closed = new Promise<void>((resolve) => {
      socket.once("close", () => {
        this.channels -= 1;
        if (guest.handler === own) guest.handler = undefined;
        resolve();
      });
    });
    const broken = closed.then(() => {
      throw new UniError("guest_unreachable", "talk to the guest: the connection ended");
    });
    broken.catch(() => {});
    const orBroken = <T>(work: Promise<T>): Promise<T> => Promise.race([work, broken]);
    return {
      configure: (config) => orBroken(configure(guest, config, before)),
      onEvent: (handler) => {
        own = handler;
        guest.handler = handler;
        void replay(guest, logOffset === "anew" ? 0 : logOffset);
      },
      signal: async (number) => {
        if (number === 15 || number === 9) await endProgram(guest, 128 + number, number);
      },
      stop: () => orBroken(endProgram(guest, 143, 15)),
      powerOff: async () => {
        if (this.#world.isAlive(guest.process)) {
          this.#world.endGuest(
            guest.process.spec.id,
            { kind: "guest-shutdown" },
            "reboot: Restarting system\n",
          );
        }
      },
      exec: async ({ argv }) => execOf(argv),
      openInput: () => Promise.reject(new UniError("guest_failed", "reach the program's input: it has none")),
      hold: () => () => {},
      readFiles: () => Promise.reject(new UniError("guest_failed", "read files: there are none")),
      writeFiles: () => Promise.reject(new UniError("guest_failed", "write files: there is no room")),
      stats: async () => ({
        memoryTotalKb: 1000,
        memoryAvailableKb: 600,
        cpuMs: 1,
        processes: 2,
        diskUsedKb: 1,
        diskTotalKb: 10,
        connections: 0,
        inhibitors: 0,
      }),
      refresh: async (roms) => this.#mount(guest, roms),
      become: (becoming) => orBroken(become(guest, becoming, before)),
      answerTemplate: async (request, failure) => answer(guest, "template-requested", request, failure),
      answerFork: async (request, outcome) => answer(guest, "fork-requested", request, outcome),
      childChanged: async (child) => {
        guest.children.push(child);
      },
      notify: async () => {},
      closed,
      close: async () => {
        socket.destroy();
        await closed;
      },
    };
  }
}

async function configure(
  guest: Guest,
  config: GuestConfig,
  before: (step: string) => Promise<void> | void,
): Promise<void> {
  await before("configure");
  const [word, argument] = config.program.argv;
  if (word === "mute") await new Promise<never>(() => {});
  guest.config = config;
  guest.roms = config.roms;
  if (config.mode === "maintenance") return;
  guest.output = `${word} is up\n`;
  await say(guest, {
    kind: "log",
    stream: "stdout",
    offset: 0,
    timeMs: 1,
    bytes: Buffer.from(guest.output),
  });
  await say(guest, { kind: "started", us: 1 });
  if (word === "serve") await say(guest, { kind: "listening", port: 8080, us: 2 });
  if (word === "exit") await endProgram(guest, Number(argument));
  if (word === "template") ask(guest, "template-requested");
}

async function become(
  guest: Guest,
  becoming: GuestBecoming,
  before: (step: string) => Promise<void> | void,
): Promise<void> {
  await before("become");
  guest.becoming = becoming;
  guest.roms = becoming.roms;
}

function ask(guest: Guest, kind: Request["kind"]): void {
  const request: Request = { kind, request: ++guest.lastRequest };
  guest.requests.push(request);
  hand(guest, request);
}

function hand(guest: Guest, request: Request): void {
  const heard = async () => guest.handler?.(request);
  heard().catch(() => {});
}

function answer(
  guest: Guest,
  kind: Request["kind"],
  request: number,
  outcome: RequestFailure | ForkedChild,
): void {
  const open = guest.requests.find((each) => each.kind === kind && each.request === request);
  if (open === undefined) return;
  guest.requests = guest.requests.filter((each) => each !== open);
  guest.answers.push(outcome);
}

function forget(guest: Guest): void {
  guest.unheard = [];
  guest.requests = [];
  guest.output = "";
}

async function endProgram(guest: Guest, code: number, signal = 0): Promise<void> {
  if (guest.exit !== undefined) return;
  guest.exit = { kind: "exited", code, signal, oomKilled: false };
  await say(guest, guest.exit);
}

/** Handed over without waiting for what the host makes of it, as the real agent does. */
async function say(guest: Guest, event: GuestEvent): Promise<void> {
  guest.unheard.push(event);
  const { handler } = guest;
  if (handler === undefined) return;
  const heard = async () => {
    await handler(event);
    guest.unheard = guest.unheard.filter((each) => each !== event);
  };
  heard().catch(() => {});
}

async function replay(guest: Guest, logOffset: number): Promise<void> {
  const events = guest.unheard.filter((event) => event.kind !== "log" || event.offset >= logOffset);
  guest.unheard = [];
  for (const event of events) await say(guest, event);
  for (const request of guest.requests) hand(guest, request);
}

function execOf(argv: readonly string[]): GuestExec {
  const stdout = new PassThrough();
  stdout.end(`${argv.join(" ")}\n`);
  return {
    io: stdout,
    stderr: Readable.from([]),
    exitCode: Promise.resolve(0),
    resize: async () => {},
    signal: async () => {},
    close: async () => {},
  };
}

function opened(path: string): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const socket = connect({ path }, () => resolve(socket));
  socket.on("error", (error) =>
    reject(new UniError("guest_unreachable", `reach ${path}: ${error.message}`, { cause: error })),
  );
  socket.resume();
  return promise;
}
