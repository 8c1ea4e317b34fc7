/** Connections to registries that are kept open between requests, one pool for each host. */
import { Agent } from "node:http";
import { Agent as TlsAgent } from "node:https";
import { isLoopback } from "./address.ts";
import { trustFor } from "./trust.ts";

export interface Connections {
  agentFor(url: URL): Promise<Agent>;
  close(): void;
}

const idleMs = 15_000;
/** A registry redirects to few hosts; what is beyond is closed, oldest first. */
const mostHosts = 32;

export function openConnections(certificates: readonly string[]): Connections {
  const agents = new Map<string, Promise<Agent>>();
  const forget = (key: string): void => {
    const agent = agents.get(key);
    agents.delete(key);
    void agent?.then(
      (each) => each.destroy(),
      () => {},
    );
  };
  return {
    agentFor(url) {
      const { protocol, host, hostname } = url;
      const key = `${protocol}//${host}`;
      const known = agents.get(key);
      if (known !== undefined) return known;
      const agent = createAgent(protocol === "https:", host, isLoopback(hostname), certificates);
      // A directory of certificates that could not be read may be mended the next time.
      agent.catch(() => agents.delete(key));
      agents.set(key, agent);
      const [oldest] = agents.keys();
      if (agents.size > mostHosts && oldest !== undefined) forget(oldest);
      return agent;
    },
    close() {
      for (const key of [...agents.keys()]) forget(key);
    },
  };
}

async function createAgent(
  isTls: boolean,
  host: string,
  isHere: boolean,
  certificates: readonly string[],
): Promise<Agent> {
  const options = {
    keepAlive: true,
    timeout: idleMs,
    // As everywhere: HTTP_PROXY, HTTPS_PROXY and NO_PROXY, and never for this machine itself.
    ...(isHere ? {} : { proxyEnv: process.env }),
  };
  if (!isTls) return new Agent(options);
  return new TlsAgent({ ...options, secureContext: await trustFor(host, certificates) });
}
