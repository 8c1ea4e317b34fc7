/** A certificate authority that speaks ACME, with DNS servers to its liking. The file is in namespaces of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeRoot, writeLeaf } from "./certificates.ts";
import { until } from "./until.ts";

export interface PebbleOptions {
  /** Of what it issues. */
  readonly validitySeconds?: number;
  /** Per cent of requests whose nonce is refused though it is good. */
  readonly refusedNonces?: number;
  /** At most so long before each validation. */
  readonly validationSeconds?: number;
  /** Accounts must be bound to this one; the key is base64url. */
  readonly binding?: { readonly kid: string; readonly key: string };
  readonly blocked?: readonly string[];
}

const ports = { acme: 14_000, management: 15_000, dns: 8_053, dnsManagement: 8_055 };

export class Pebble {
  readonly directory = mkdtempSync(join(tmpdir(), "pebble-"));
  readonly url = `https://localhost:${ports.acme}/dir`;
  /** Vouches for its own server; what it issues has another root. */
  readonly serverRoot = join(this.directory, "server-root.pem");
  /** `PROGRAM present|cleanup FQDN VALUE`, on the DNS server that it asks. */
  readonly dnsHook = join(this.directory, "hook");
  #dns: ChildProcess | undefined;
  #server: ChildProcess | undefined;

  static async start(options: PebbleOptions = {}): Promise<Pebble> {
    const pebble = new Pebble();
    const root = await makeRoot();
    writeFileSync(pebble.serverRoot, root.certificate.toString("pem"));
    await writeLeaf(root, ["localhost"], join(pebble.directory, "server.pem"));
    writeFileSync(pebble.dnsHook, hook);
    chmodSync(pebble.dnsHook, 0o755);
    const none = ["-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv6", ""];
    const own = ["-dns01", `127.0.0.1:${ports.dns}`, "-management", `127.0.0.1:${ports.dnsManagement}`];
    pebble.#dns = pebble.#spawn("pebble-challtestsrv", [...none, ...own], {});
    await pebble.restart(options);
    return pebble;
  }

  get log(): string {
    return readFileSync(join(this.directory, "log"), "utf8");
  }

  /** It forgets everything, and has another root. */
  async restart(options: PebbleOptions = {}): Promise<void> {
    await end(this.#server);
    const { validitySeconds = 90 * 86_400, refusedNonces = 5, validationSeconds = 0, binding } = options;
    const path = join(this.directory, "config.json");
    const server = join(this.directory, "server.pem");
    const pebble = {
      listenAddress: `127.0.0.1:${ports.acme}`,
      managementListenAddress: `127.0.0.1:${ports.management}`,
      certificate: server,
      privateKey: server,
      httpPort: 80,
      tlsPort: 443,
      certificateValidityPeriod: validitySeconds,
      externalAccountBindingRequired: binding !== undefined,
      externalAccountMACKeys: binding === undefined ? {} : { [binding.kid]: binding.key },
      domainBlocklist: options.blocked ?? [],
    };
    writeFileSync(path, JSON.stringify({ pebble }));
    this.#server = this.#spawn("pebble", ["-config", path, "-dnsserver", `127.0.0.1:${ports.dns}`], {
      PEBBLE_WFE_NONCEREJECT: String(refusedNonces),
      PEBBLE_AUTHZREUSE: "0",
      ...(validationSeconds === 0
        ? { PEBBLE_VA_NOSLEEP: "1" }
        : { PEBBLE_VA_SLEEPTIME: String(validationSeconds) }),
    });
    await until("the authority answers", () => this.#get("/roots/0").then(Boolean, () => false));
  }

  /** Of what it issues, PEM. */
  root(): Promise<string> {
    return this.#get("/roots/0");
  }

  /** Where a name leads to, for the authority. */
  async point(fqdn: string, address: string): Promise<void> {
    const management = `http://127.0.0.1:${ports.dnsManagement}`;
    const host = `${fqdn}.`;
    await fetch(`${management}/clear-a`, { method: "POST", body: JSON.stringify({ host }) });
    await fetch(`${management}/add-a`, {
      method: "POST",
      body: JSON.stringify({ host, addresses: [address] }),
    });
  }

  async stop(): Promise<void> {
    await end(this.#server);
  }

  async remove(): Promise<void> {
    await end(this.#server);
    await end(this.#dns);
    rmSync(this.directory, { recursive: true });
  }

  #spawn(program: string, args: readonly string[], env: Readonly<Record<string, string>>): ChildProcess {
    const log = openSync(join(this.directory, "log"), "a");
    const child = spawn(program, args, {
      env: { PATH: process.env.PATH, ...env },
      stdio: ["ignore", log, log],
    });
    closeSync(log);
    return child;
  }

  #get(path: string): Promise<string> {
    const ca = readFileSync(this.serverRoot);
    return new Promise((resolve, reject) => {
      const sent = request({ host: "localhost", port: ports.management, path, ca }, (answer) => {
        let text = "";
        answer.on("data", (chunk) => {
          text += String(chunk);
        });
        answer.once("end", () => resolve(text));
      });
      sent.once("error", reject);
      sent.end();
    });
  }
}

const hook = `#!/bin/sh
case $1 in
  present) path=set-txt ;;
  cleanup) path=clear-txt ;;
esac
echo "$1 $2" >>"$(dirname "$0")/hook.log"
exec curl -fsS -d "{\\"host\\":\\"$2.\\",\\"value\\":\\"$3\\"}" "http://127.0.0.1:${ports.dnsManagement}/$path"
`;

async function end(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await ended;
}
