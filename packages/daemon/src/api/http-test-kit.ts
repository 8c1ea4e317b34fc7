/** A REST server over the memory core, and requests to it, for the tests of this room. */
import { request } from "node:http";
import type { TestContext } from "node:test";
import { silentLog } from "../base/log.ts";
import { createFakeCore, type FakeCore, fakeToken } from "./fake-core.ts";
import { fakeImage } from "./fake-instances.ts";
import { startHttp } from "./http.ts";

export interface Reply {
  readonly status: number;
  readonly type: string;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests read answers of every shape
  readonly json: any;
}

export interface RestServer {
  readonly core: FakeCore;
  readonly address: string;
  /** `body` is sent as JSON, a string as it is. */
  send(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Reply>;
  /** Creates an instance and returns its uuid. */
  make(name: string, more?: object): Promise<string>;
}

export async function restServer(context: TestContext): Promise<RestServer> {
  const core = createFakeCore();
  const { address, close } = await startHttp(core, { host: "127.0.0.1", port: 0, log: silentLog });
  context.after(close);
  const send: RestServer["send"] = async (method, path, body, headers = {}) => {
    const { promise, resolve, reject } = Promise.withResolvers<Reply>();
    const text = body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body);
    const outgoing = request(`http://${address}${path}`, {
      method,
      headers: {
        accept: "application/json",
        authorization: `Bearer ${fakeToken}`,
        ...(text === undefined
          ? {}
          : { "content-type": "application/json", "content-length": Buffer.byteLength(text) }),
        ...headers,
      },
    });
    outgoing.on("error", reject);
    outgoing.on("response", async (incoming) => {
      const chunks: Buffer[] = [];
      for await (const chunk of incoming) chunks.push(chunk as Buffer);
      const answer = Buffer.concat(chunks).toString();
      const type = incoming.headers["content-type"] ?? "";
      const json = type.startsWith("application/json") ? JSON.parse(answer) : undefined;
      resolve({ status: incoming.statusCode ?? 0, type, text: answer, json });
    });
    outgoing.end(text);
    return promise;
  };
  const make: RestServer["make"] = async (name, more = {}) => {
    const { json } = await send("POST", "/v1/instances", { name, image: fakeImage, ...more });
    return json.data.instances[0].uuid;
  };
  return { core, address, send, make };
}
