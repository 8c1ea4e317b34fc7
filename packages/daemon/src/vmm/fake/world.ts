/** What outlives a daemon when machines are only pretended: two fake drivers over one world are two daemons on one host. */
import { chmodSync, mkdirSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { UniError } from "@uni/contract/errors";
import type { ProcessIdentity } from "../../host/process-identity.ts";
import type { MachineExit, MachineSpec } from "../port.ts";

export interface FakeProcess {
  readonly spec: MachineSpec;
  readonly identity: ProcessIdentity;
  readonly agentSocket: string;
  readonly server: Server;
  readonly sockets: Set<Socket>;
  readonly watchers: Set<(exit: MachineExit) => void>;
  console: string;
  paused: boolean;
  /** What the guest holds in its memory; survives a sleep. */
  memory: string;
  /** The capture that the memory stands on. */
  readonly origin: string | undefined;
  /** The file that is written now; a capture switches it. */
  disk: string;
  isCaptured: boolean;
  /** Set once the guest ended while the process stayed. */
  guestExit: MachineExit | undefined;
}

/** The other end of the agent's channel; called for each connection. */
export type FakeAgent = (socket: Socket, spec: MachineSpec) => void;

/** Above what the kernel hands out (pid_max is at most 2^22, proc_sys_kernel(5)): never a real process. */
const firstPid = 2 ** 22 + 1;

export class FakeWorld {
  readonly #processes = new Map<string, FakeProcess>();
  #nextPid = firstPid;

  get processes(): readonly FakeProcess[] {
    return [...this.#processes.values()];
  }

  in(directory: string): FakeProcess | undefined {
    return this.#processes.get(directory);
  }

  async spawn(
    spec: MachineSpec,
    agent: FakeAgent,
    asleep?: { readonly memory: string; readonly origin: string | undefined },
  ): Promise<FakeProcess> {
    const attempted = `start machine ${spec.id}`;
    if (this.#processes.has(spec.directory)) throw new UniError("in_use", `${attempted}: it runs already`);
    if (this.processes.some((process) => process.disk === spec.writable.path)) {
      throw new UniError("in_use", `${attempted}: another machine has ${spec.writable.path} open`);
    }
    const run = join(spec.directory, "run");
    mkdirSync(run, { recursive: true });
    const agentSocket = join(run, "agent");
    rmSync(agentSocket, { force: true });
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => sockets.delete(socket));
      agent(socket, spec);
      if (process.paused) socket.pause();
    });
    const process: FakeProcess = {
      spec,
      identity: { pid: this.#nextPid++, startTicks: "0" },
      agentSocket,
      server,
      sockets,
      watchers: new Set(),
      console: "",
      paused: asleep !== undefined,
      memory: asleep?.memory ?? "",
      origin: asleep?.origin,
      disk: spec.writable.path,
      isCaptured: false,
      guestExit: undefined,
    };
    this.#processes.set(spec.directory, process);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once("error", reject);
    server.once("close", () => reject(new UniError("vmm_failed", `${attempted}: the machine is gone`)));
    server.listen(agentSocket, resolve);
    server.unref();
    try {
      await promise;
    } catch (error) {
      this.#processes.delete(spec.directory);
      throw error;
    }
    chmodSync(agentSocket, 0o600);
    return process;
  }

  isAlive(process: FakeProcess): boolean {
    return this.#processes.get(process.spec.directory) === process;
  }

  /** The guest ends; the process stays. */
  endGuest(id: string, exit: MachineExit, console: string): void {
    const process = this.#byId(id);
    process.guestExit = exit;
    process.console += console;
    for (const socket of process.sockets) socket.destroy();
    for (const watcher of process.watchers) watcher(exit);
  }

  /** The process ends; whoever watches hears `exit`. */
  async end(process: FakeProcess, exit: MachineExit): Promise<void> {
    if (!this.isAlive(process)) return;
    this.#processes.delete(process.spec.directory);
    const closed = new Promise((resolve) => process.server.close(resolve));
    for (const socket of process.sockets) socket.destroy();
    for (const watcher of process.watchers) watcher(exit);
    await closed;
  }

  remember(id: string, memory: string): void {
    this.#byId(id).memory = memory;
  }

  recall(id: string): string {
    return this.#byId(id).memory;
  }

  endVmm(id: string): Promise<void> {
    return this.end(this.#byId(id), { kind: "vmm-died" });
  }

  #byId(id: string): FakeProcess {
    const process = this.processes.find(({ spec }) => spec.id === id);
    if (process) return process;
    throw new UniError("not_found", `find machine ${id}: it does not run`);
  }
}
