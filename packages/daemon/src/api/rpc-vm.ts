/** The VM methods that answer with one line. */
import { UniError } from "@uni/contract/errors";
import type { InstanceId } from "@uni/contract/ids";
import { limits } from "@uni/contract/limits";
import type { Instance } from "@uni/contract/resources/instance";
import type { RpcParams } from "@uni/contract/rpc-methods";
import type { InstancesPort } from "./port.ts";
import { done, type RpcAnswer, type RpcContext, value } from "./rpc-answer.ts";
import { runVm } from "./rpc-run.ts";
import { readUpdate } from "./update-rules.ts";
import { toVmDetail, toVmInfo } from "./vm-info.ts";

const forever = Number.POSITIVE_INFINITY;
const logPage = 1 << 20;
/** In these states there is nothing to stop before a deletion. */
const atRest: ReadonlySet<string> = new Set(["stopped", "deleted"]);

export function vmMethods(instances: InstancesPort) {
  const find = (id: string, { account }: RpcContext) => instances.resolveLoose(account, id);
  const info = (id: InstanceId) => value(toVmInfo(instances.get(id)));
  const stop = (id: InstanceId, params: { force?: boolean; grace_s?: number }, signal: AbortSignal) => {
    const grace = params.grace_s ?? instances.get(id).grace_period_s ?? limits.graceS.default;
    const options = { force: params.force ?? false, drainMs: 0, graceMs: grace * 1000, waitMs: forever };
    return instances.stop(id, options, signal);
  };
  return {
    "VM.Run": (params: RpcParams<"VM.Run">, context: RpcContext) => runVm(instances, params, context),
    "VM.List": ({ all = true }: RpcParams<"VM.List">, { account }: RpcContext) => {
      const everything = instances.list(account, { count: forever, order: "asc", tags: [] });
      const isOn = ({ state, restart }: Instance) => !atRest.has(state) || restart?.next_at !== undefined;
      return value(everything.filter((instance) => all || isOn(instance)).map(toVmInfo));
    },
    "VM.Get": ({ id }: RpcParams<"VM.Get">, context: RpcContext) => info(find(id, context)),
    "VM.Inspect": ({ id }: RpcParams<"VM.Inspect">, context: RpcContext) =>
      value(toVmDetail(instances.get(find(id, context)))),
    "VM.Start": async ({ id, cold }: RpcParams<"VM.Start">, context: RpcContext) => {
      const found = find(id, context);
      await instances.start(found, { waitMs: forever, cold }, context.signal);
      return info(found);
    },
    "VM.Suspend": async ({ id, drain_s = 0 }: RpcParams<"VM.Suspend">, context: RpcContext) => {
      const found = find(id, context);
      await instances.suspend(found, { drainMs: drain_s * 1000, waitMs: forever }, context.signal);
      return info(found);
    },
    "VM.Stop": async (params: RpcParams<"VM.Stop">, context: RpcContext) => {
      const found = find(params.id, context);
      const before = toVmInfo(instances.get(found));
      const { state } = await stop(found, params, context.signal);
      return latest(instances, found, { ...before, state });
    },
    "VM.Restart": async (params: RpcParams<"VM.Restart">, context: RpcContext) => {
      const found = find(params.id, context);
      await stop(found, params, context.signal);
      await instances.start(found, { waitMs: forever }, context.signal);
      return info(found);
    },
    "VM.Kill": async ({ id, signal }: RpcParams<"VM.Kill">, context: RpcContext) => {
      const found = find(id, context);
      if (signal === undefined) await stop(found, { force: true }, context.signal);
      else await instances.kill(found, signalName(signal));
      return done;
    },
    "VM.Signal": async ({ id, signal }: RpcParams<"VM.Signal">, context: RpcContext) => {
      await instances.kill(find(id, context), signalName(signal));
      return done;
    },
    "VM.Remove": async ({ id, force }: RpcParams<"VM.Remove">, context: RpcContext) => {
      const found = find(id, context);
      const { uuid, name, state } = instances.get(found);
      if (!force && !atRest.has(state)) {
        throw new UniError("wrong_state", `remove instance ${name}: it is ${state}`, {
          hint: `Stop it first, or remove it by force: uni rm -f ${name}`,
        });
      }
      await instances.delete(found, forever, context.signal);
      return value({ status: "ok", id: uuid, name });
    },
    "VM.Wait": async ({ id }: RpcParams<"VM.Wait">, context: RpcContext) => {
      const { exitCode, instance } = await instances.waitExit(find(id, context), context.signal);
      const { state, exit_reason } = instance;
      return value({
        exit_code: exitCode ?? null,
        state,
        ...(exit_reason === undefined ? {} : { exit_reason }),
      });
    },
    "VM.Stats": async ({ id }: RpcParams<"VM.Stats">, context: RpcContext) => {
      if (id !== undefined) return value([await instances.stats(find(id, context))]);
      const running = instances
        .list(context.account, { count: forever, order: "asc", tags: [] })
        .filter(({ state }) => state === "running");
      return value(await Promise.all(running.map(({ uuid }) => instances.stats(find(uuid, context)))));
    },
    "VM.Update": async ({ id, updates }: RpcParams<"VM.Update">, context: RpcContext) => {
      const found = find(id, context);
      for (const update of updates.map(readUpdate)) await instances.update(found, update);
      return value(toVmDetail(instances.get(found)));
    },
  };
}

/** The whole log that is held when the question is asked. */
export async function wholeLog(instances: InstancesPort, id: InstanceId): Promise<string> {
  const parts: Buffer[] = [];
  let offset = 0;
  let end = Number.POSITIVE_INFINITY;
  while (offset < end) {
    const { output, available, range } = await instances.log(id, offset, logPage);
    end = Math.min(end, available.end);
    if (output.length === 0) break;
    parts.push(output);
    offset = range.end;
  }
  return Buffer.concat(parts).toString("utf8");
}

/** With delete-on-stop there is nothing left to look at. */
function latest(instances: InstancesPort, id: InstanceId, fallback: unknown): RpcAnswer {
  try {
    return value(toVmInfo(instances.get(id)));
  } catch (error) {
    if (error instanceof UniError && error.code === "not_found") return value(fallback);
    throw error;
  }
}

const signalName = (text: string) => (/^\d+$/.test(text) || text.startsWith("SIG") ? text : `SIG${text}`);
