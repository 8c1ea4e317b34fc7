/** The people-methods that the REST API can carry, each by the operations it has. */
import { UniError } from "@uni/contract/errors";
import { isUuid } from "@uni/contract/ids";
import { limits } from "@uni/contract/limits";
import type { Image } from "@uni/contract/resources/image";
import type { Instance } from "@uni/contract/resources/instance";
import type { LoggedInstance } from "@uni/contract/resources/instance-results";
import type { RpcMethodName, RpcParams, RpcResults } from "@uni/contract/rpc-methods";
import type { CallOptions } from "./client.ts";
import { createRequestOf } from "./create-request.ts";
import { type HttpApi, sendForItems, sendHttp } from "./http-envelope.ts";
import { imageDetailOf, savedInfoOf, vmDetailOf, vmInfoOf } from "./vm-info.ts";

type Handler<M extends RpcMethodName> = (
  api: HttpApi,
  params: RpcParams<M>,
  options: CallOptions | undefined,
) => Promise<RpcResults[M]>;
export type HttpMethods = { readonly [M in RpcMethodName]?: Handler<M> };

export const notCarried = (method: string): UniError =>
  new UniError("not_supported", `calling ${method} over TCP: the REST API has no such operation`, {
    hint: "Use the unix socket on the daemon's own machine: leave --host and UNI_HOST out.",
  });

const instances = "/v1/instances";
const referenceOf = (id: string) => (isUuid(id) ? { uuid: id } : { name: id });

async function one<Item>(items: Promise<readonly Item[]>, what: string): Promise<Item> {
  const first = (await items)[0];
  if (first === undefined) throw new UniError("internal", `${what}: the answer is empty`);
  return first;
}

function find(api: HttpApi, id: string, options: CallOptions | undefined): Promise<Instance> {
  const query = isUuid(id) ? `uuid=${id}` : `name=${encodeURIComponent(id)}`;
  const path = `${instances}?${query}`;
  return one(sendForItems<Instance>(api, { method: "GET", path }, "instances", options), `finding ${id}`);
}

async function transition(
  api: HttpApi,
  verb: "start" | "stop" | "suspend",
  id: string,
  members: Readonly<Record<string, unknown>>,
  options: CallOptions | undefined,
): Promise<void> {
  const body = [{ ...referenceOf(id), ...members }];
  await sendForItems(api, { method: "PUT", path: `${instances}/${verb}`, body }, "instances", options);
}

const ofSet = (
  api: HttpApi,
  verb: "branch" | "checkpoint" | "rewind",
  body: object,
  options: CallOptions | undefined,
): Promise<readonly Instance[]> =>
  sendForItems(api, { method: "PUT", path: `${instances}/${verb}`, body }, "instances", options);

/** What is held when it is first asked for. */
async function wholeLog(api: HttpApi, { uuid }: Instance, options: CallOptions | undefined): Promise<string> {
  const parts: Buffer[] = [];
  let offset = 0;
  let end = Number.POSITIVE_INFINITY;
  while (offset < end) {
    const path = `${instances}/${uuid}/log?offset=${offset}&limit=${limits.logBytes.maximum}`;
    const asked = sendForItems<LoggedInstance>(api, { method: "GET", path }, "instances", options);
    const { output = "", available, range } = await one(asked, "reading a log");
    end = Math.min(end, available?.end ?? 0);
    if (output === "") break;
    parts.push(Buffer.from(output, "base64"));
    offset = range?.end ?? end;
  }
  return Buffer.concat(parts).toString("utf8");
}

const stopMembers = ({ force, grace_s }: RpcParams<"VM.Stop">) => ({
  ...(force === true ? { force } : {}),
  ...(grace_s === undefined ? {} : { grace_period_s: grace_s }),
  timeout_s: -1,
});

export const httpMethods: HttpMethods = {
  "VM.Run": async (api, params, options) => {
    const request = { method: "POST", path: instances, body: createRequestOf(params) };
    return vmInfoOf(
      await one(sendForItems<Instance>(api, request, "instances", options), "creating an instance"),
    );
  },
  "VM.List": async (api, { all = true }, options) => {
    const request = { method: "GET", path: instances };
    const found = await sendForItems<Instance>(api, request, "instances", options);
    return found.filter((instance) => all || instance.state !== "stopped").map(vmInfoOf);
  },
  "VM.Get": async (api, { id }, options) => vmInfoOf(await find(api, id, options)),
  "VM.Inspect": async (api, { id }, options) => vmDetailOf(await find(api, id, options)),
  "VM.Start": async (api, { id, cold }, options) => {
    await transition(api, "start", id, cold === true ? { cold } : {}, options);
    return vmInfoOf(await find(api, id, options));
  },
  "VM.Suspend": async (api, { id, drain_s = 0 }, options) => {
    await transition(api, "suspend", id, { drain_timeout_ms: drain_s * 1000, timeout_s: -1 }, options);
    return vmInfoOf(await find(api, id, options));
  },
  "VM.Stop": async (api, params, options) => {
    await transition(api, "stop", params.id, stopMembers(params), options);
    return vmInfoOf(await find(api, params.id, options));
  },
  "VM.Kill": async (api, { id, signal }, options) => {
    if (signal !== undefined) throw notCarried("VM.Kill with a signal");
    await transition(api, "stop", id, stopMembers({ id, force: true }), options);
    return { status: "ok" };
  },
  "VM.Logs": async (api, params, options) => {
    const { id, follow = false, tail, since } = params;
    if (follow || tail !== undefined || since !== undefined)
      throw notCarried("VM.Logs with a choice of lines");
    return { id, logs: await wholeLog(api, await find(api, id, options), options) };
  },
  "VM.Restart": async (api, params, options) => {
    await transition(api, "stop", params.id, stopMembers(params), options);
    await transition(api, "start", params.id, {}, options);
    return vmInfoOf(await find(api, params.id, options));
  },
  "VM.Remove": async (api, { id, force }, options) => {
    const { uuid, name, state } = await find(api, id, options);
    if (state !== "stopped" && force !== true) {
      throw new UniError("wrong_state", `removing '${name}': it is ${state}`, {
        hint: `Stop it first (uni stop ${name}), or use uni rm -f.`,
      });
    }
    const request = { method: "DELETE", path: instances, body: [{ uuid }] };
    await sendForItems(api, request, "instances", options);
    return { status: "ok", id: uuid, name };
  },
  "VM.Branch": async (api, { ids, ...more }, options) => {
    const body = { instances: ids.map(referenceOf), ...more };
    return (await ofSet(api, "branch", body, options)).map(vmInfoOf);
  },
  "VM.Checkpoint": async (api, { ids, ...more }, options) => {
    const body = { instances: ids.map(referenceOf), ...more };
    return (await ofSet(api, "checkpoint", body, options)).map(savedInfoOf);
  },
  "VM.Rewind": async (api, { rewinds }, options) => {
    const body = {
      rewinds: rewinds.map(({ id, checkpoint }) => ({
        instance: referenceOf(id),
        checkpoint: referenceOf(checkpoint),
      })),
    };
    return (await ofSet(api, "rewind", body, options)).map(vmInfoOf);
  },
  "VM.Update": async (api, { id, updates }, options) => {
    const body = updates.map((update) => ({ ...referenceOf(id), ...update }));
    await sendForItems(api, { method: "PATCH", path: instances, body }, "instances", options);
    return vmDetailOf(await find(api, id, options));
  },
  "Image.List": async (api, _params, options) => {
    const request = { method: "GET", path: "/v1/images" };
    return (await sendForItems<Image>(api, request, "images", options)).map(imageDetailOf);
  },
  "Daemon.Version": async (api, _params, options) => {
    const { envelope } = await sendHttp(api, { method: "GET", path: "/v1/healthz" }, options);
    const versions = (envelope.data as { versions?: Record<string, string> } | undefined)?.versions;
    return { version: versions?.unid ?? versions?.uni ?? "unknown" };
  },
};
