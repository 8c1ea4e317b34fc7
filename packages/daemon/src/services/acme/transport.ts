/** HTTPS requests to an authority, bounded in time and size. It follows no redirect: the protocol has none. */
import { readFile } from "node:fs/promises";
import type { IncomingHttpHeaders } from "node:http";
import { Agent, request } from "node:https";
import { UniError } from "@uni/contract/errors";
import type { Clock } from "../../base/clock.ts";
import { withDeadline } from "../../base/deadline.ts";

export interface AcmeRequest {
  readonly method: "GET" | "HEAD" | "POST";
  readonly url: string;
  readonly body?: string;
}

export interface AcmeAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Transport {
  readonly send: (request: AcmeRequest, signal: AbortSignal) => Promise<AcmeAnswer>;
  readonly close: () => void;
}

const answerMs = 30_000;
const longestBody = 1 << 20;

export async function openTransport(caFile: string | undefined, clock: Clock): Promise<Transport> {
  const ca = caFile === undefined ? undefined : await readFile(caFile, "utf8").catch(unreadable(caFile));
  const agent = new Agent({ keepAlive: true, maxSockets: 4, ...(ca === undefined ? {} : { ca }) });
  return {
    async send({ method, url, body }, signal) {
      const { protocol, host } = parse(url);
      if (protocol !== "https:") throw new UniError("acme_failed", `ask ${url}: it is no HTTPS address`);
      const attempted = `ask the certificate authority at ${host}`;
      try {
        return await withDeadline({ clock, ms: answerMs, attempted, signal }, (bounded) =>
          exchange(agent, { method, url, ...(body === undefined ? {} : { body }) }, bounded),
        );
      } catch (error) {
        if (signal.aborted || error instanceof UniError) throw error;
        throw unreachable(attempted, error as NodeJS.ErrnoException);
      }
    },
    close: () => agent.destroy(),
  };
}

function exchange(
  agent: Agent,
  { method, url, body }: AcmeRequest,
  signal: AbortSignal,
): Promise<AcmeAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<AcmeAnswer>();
  const headers = {
    "user-agent": "uni",
    ...(body === undefined ? {} : { "content-type": "application/jose+json" }),
  };
  const sent = request(url, { method, agent, signal, headers }, (answer) => {
    const chunks: Buffer[] = [];
    let length = 0;
    answer.on("data", (chunk: Buffer) => {
      length += chunk.length;
      if (length > longestBody) answer.destroy(new Error(`its answer is longer than ${longestBody} bytes`));
      else chunks.push(chunk);
    });
    answer.once("error", reject);
    answer.once("end", () =>
      resolve({
        status: answer.statusCode ?? 0,
        headers: answer.headers,
        body: Buffer.concat(chunks).toString("utf8"),
      }),
    );
  });
  sent.once("error", (error) => reject(signal.aborted ? signal.reason : error));
  sent.end(body);
  return promise;
}

function parse(url: string): URL {
  const parsed = URL.parse(url);
  if (parsed === null) throw new UniError("acme_failed", `ask '${url.slice(0, 100)}': it is no address`);
  return parsed;
}

function unreachable(attempted: string, error: NodeJS.ErrnoException): UniError {
  const isTrust = /CERT|SELF_SIGNED|ISSUER|SIGNATURE/.test(error.code ?? "");
  return new UniError("unreachable", `${attempted}: ${error.message}`, {
    hint: isTrust
      ? "Is it a private authority? Name the roots of its server: unid --acme-ca FILE."
      : "Is its address right (unid --acme-directory), and does this machine reach it?",
    cause: error,
  });
}

const unreadable = (path: string) => (error: NodeJS.ErrnoException) => {
  throw new UniError("not_found", `read the roots of the certificate authority '${path}': ${error.message}`, {
    cause: error,
  });
};
