/** Debian's Docker engine and its client. It pulls and pushes, and has no network for containers. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Ran, type RunOptions, runProgram, startProgram } from "./programs.ts";
import { unpackedPrograms } from "./unpacked.ts";
import { until } from "./until.ts";

const client = join(unpackedPrograms("docker"), "docker");
const engine = join(unpackedPrograms("docker", "usr/sbin"), "dockerd");
/** All that it finds: neither modprobe nor iptables. */
const path = [unpackedPrograms("containerd"), unpackedPrograms("runc", "usr/sbin")].join(":");

/**
 * What it writes there whatever it is told, and what it mounts, goes with a mount namespace of its own. It wants to see control
 * groups, of whichever version; the namespaces of the tests have none.
 */
const inOwnMounts = [
  "mount -t tmpfs tmpfs /opt",
  "mount -t tmpfs tmpfs /run",
  "mount -t cgroup2 cgroup2 /sys/fs/cgroup",
  'PATH=$1 && shift && exec "$@"',
].join(" && ");

export class DockerEngine {
  /** The client's settings, and what it remembers of registries. */
  readonly configDirectory: string;
  readonly #directory: string;
  #end: () => Promise<Ran> = () => Promise.reject(new Error("dockerd has not been started"));

  private constructor() {
    this.#directory = mkdtempSync(join(tmpdir(), "docker-"));
    this.configDirectory = join(this.#directory, "client");
    mkdirSync(this.configDirectory);
  }

  static async start(): Promise<DockerEngine> {
    const docker = new DockerEngine();
    await docker.#start();
    return docker;
  }

  get #socket(): string {
    return `unix://${join(this.#directory, "docker.sock")}`;
  }

  async #start(): Promise<void> {
    const at = (name: string) => join(this.#directory, name);
    const settings = {
      hosts: [this.#socket],
      "data-root": at("data"),
      "exec-root": at("exec"),
      pidfile: at("pid"),
      "deprecated-key-path": at("key.json"),
      "storage-driver": "vfs",
      bridge: "none",
      iptables: false,
      ip6tables: false,
      "ip-forward": false,
      "userland-proxy": false,
      "log-level": "warn",
    };
    writeFileSync(at("dockerd.json"), JSON.stringify(settings));
    const command = ["sh", "-c", inOwnMounts, "sh", path, engine, "--config-file", at("dockerd.json")];
    // A containerd that is slow to answer is started anew, and leaves the stacks of its threads in the temporary directory.
    const env = { TMPDIR: this.#directory };
    const running = startProgram("unshare", ["--mount", ...command], { env, deadlineMs: 600_000 });
    this.#end = () => {
      running.child.kill("SIGTERM");
      return running.ended;
    };
    await until("dockerd answers", async () => {
      if (running.child.exitCode !== null) throw new Error(`dockerd ended: ${running.stderr()}`);
      return (await this.run(["version"])).code === 0;
    });
  }

  run(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
    const env = { DOCKER_HOST: this.#socket, DOCKER_CONFIG: this.configDirectory, ...options.env };
    return runProgram(client, args, { ...options, env });
  }

  async stop(): Promise<void> {
    const { code, stderr } = await this.#end();
    rmSync(this.#directory, { recursive: true });
    if (code !== 0) throw new Error(`dockerd ended with ${code}: ${stderr}`);
  }
}
