/** An edge for a test file, with certificates, and curl as its client. */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { promisify } from "node:util";
import { systemClock } from "../../packages/daemon/src/base/clock.ts";
import { silentLog } from "../../packages/daemon/src/base/log.ts";
import { createEdge } from "../../packages/daemon/src/edge/edge.ts";
import type { Edge, EdgeGroup, EdgeMember, EdgePlan } from "../../packages/daemon/src/edge/port.ts";
import { makeRoot, writeLeaf } from "./certificates.ts";
import { backendPort } from "./edge-backends.ts";
import { enterOwnNamespaces } from "./own-namespaces.ts";

export interface TestEdge {
  readonly directory: string;
  readonly rootFile: string;
  /** Opens the edge again, as the next daemon does. */
  readonly open: (options?: { readonly proxies?: readonly string[] }) => Promise<Edge>;
  readonly planOf: (...groups: readonly EdgeGroup[]) => EdgePlan;
  /** `members`: address and state of each. */
  readonly group: (
    name: string,
    members: Readonly<Record<string, EdgeMember["state"]>>,
    rest?: Partial<EdgeGroup>,
  ) => EdgeGroup;
  readonly curl: (url: string, ...options: readonly string[]) => Promise<CurlAnswer>;
  /** With the edge that was opened last. */
  readonly remove: () => Promise<void>;
}

/** What a test file at the edge opens with: its own namespaces and an edge, gone after its last test. */
export async function edgeForFile(
  options: Parameters<TestEdge["open"]>[0] = {},
): Promise<{ kit: TestEdge; edge: Edge }> {
  enterOwnNamespaces();
  const kit = await makeTestEdge();
  after(() => kit.remove());
  return { kit, edge: await kit.open(options) };
}

export interface CurlAnswer {
  readonly status: number;
  readonly version: string;
  readonly type: string;
  readonly location: string;
  readonly body: string;
}

export const bind = "127.0.0.1";

export async function makeTestEdge(): Promise<TestEdge> {
  const directory = mkdtempSync(join(tmpdir(), "edge-"));
  const certificates = join(directory, "certificates");
  mkdirSync(certificates);
  const root = await makeRoot();
  const rootFile = join(certificates, "root.pem");
  writeFileSync(rootFile, root.certificate.toString("pem"));
  const certificate = join(certificates, "wildcard.pem");
  await writeLeaf(root, ["*.example.com"], certificate);
  let opened: Edge | undefined;
  return {
    directory,
    rootFile,
    async open({ proxies = [] } = {}) {
      const surroundings = { directory: join(directory, "h"), clock: systemClock, log: silentLog };
      opened = await createEdge({ ...surroundings, bind, proxies });
      return opened;
    },
    planOf: (...groups) => ({ groups, defaultCertificate: certificate }),
    group: (name, members, rest = {}) => ({
      id: name,
      domains: [{ fqdn: `${name}.example.com`, certificate }],
      ports: [
        { kind: "http", port: 443, destinationPort: backendPort, tls: true, proxy: false },
        { kind: "redirect", port: 80, toPort: 443 },
      ],
      softLimit: 1,
      hardLimit: 100,
      members: Object.entries(members).map(([address, state]) => ({
        id: address.replaceAll(".", "-"),
        address,
        state,
      })),
      ...rest,
    }),
    curl: (url, ...options) => curl(rootFile, url, options),
    async remove() {
      await opened?.remove();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

const mark = "\n--answer--";
const format = `${mark}%{http_code} %{http_version} %{content_type} %{redirect_url}`;

async function curl(rootFile: string, url: string, options: readonly string[]): Promise<CurlAnswer> {
  const { hostname, port, protocol } = new URL(url);
  const resolve = `${hostname}:${port || (protocol === "https:" ? 443 : 80)}:${bind}`;
  const fixed = ["-sS", "--max-time", "40", "--cacert", rootFile, "--resolve", resolve, "-w", format];
  const { stdout } = await promisify(execFile)("curl", [...fixed, ...options, url]);
  const end = stdout.lastIndexOf(mark);
  const [status = "", version = "", type = "", location = ""] = stdout.slice(end + mark.length).split(" ");
  return { status: Number(status), version, type, location, body: stdout.slice(0, end) };
}
