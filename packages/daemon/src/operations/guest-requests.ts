/** What guests ask for from inside: to become a template, or a copy of themselves. One request of a guest at a time. */
import { toUniError, UniError } from "@uni/contract/errors";
import type { InstanceId } from "@uni/contract/ids";
import type { Log } from "../base/log.ts";
import type { RequestFailure } from "../guest/port.ts";
import type { GuestRequest } from "../instances/guest-request.ts";
import { ForkFamilies } from "./fork-families.ts";
import type { OnDemandTemplates } from "./on-demand-templates.ts";
import { branchInstances, makeTemplate, type SaveDependencies } from "./save-instances.ts";

export interface GuestRequestDependencies extends SaveDependencies {
  readonly onDemand: OnDemandTemplates;
  readonly log: Log;
}

export class GuestRequests {
  readonly #deps: GuestRequestDependencies;
  readonly #families: ForkFamilies;
  readonly #underWay = new Set<string>();
  readonly #templates = new Map<InstanceId, AbortController>();

  constructor(deps: GuestRequestDependencies) {
    this.#deps = deps;
    this.#families = new ForkFamilies(deps.clock, deps.registry);
  }

  /** Returns at once: what comes of it is told to the guest. */
  take(id: InstanceId, event: GuestRequest): void {
    if (event.kind === "template-withdrawn") {
      this.#templates.get(id)?.abort(new UniError("failed", "make a template: nobody waits for it any more"));
      return;
    }
    // Said again after a new connection, it may be under way already.
    const key = `${id} ${event.kind} ${event.request}`;
    if (this.#underWay.has(key)) return;
    this.#underWay.add(key);
    const work =
      event.kind === "template-requested" ? this.#template(id, event.request) : this.#fork(id, event.request);
    work
      .catch((error) => this.#deps.log.warn({ err: error, instance: id }, `${event.kind} failed`))
      .finally(() => this.#underWay.delete(key));
  }

  async #template(id: InstanceId, request: number): Promise<void> {
    const { onDemand } = this.#deps;
    const abort = new AbortController();
    this.#templates.set(id, abort);
    try {
      const { name, autokillMs = 0 } = onDemand.wanted(id) ?? {};
      const options = { autokillMs, signal: abort.signal, ...(name === undefined ? {} : { name }) };
      onDemand.settle(id, await makeTemplate(this.#deps, id, options));
    } catch (thrown) {
      const error = toUniError(thrown, "make a template");
      onDemand.settle(id, error);
      await this.#channelOf(id)?.answerTemplate(request, failureOf(error));
      throw error;
    } finally {
      this.#templates.delete(id);
    }
  }

  async #fork(id: InstanceId, request: number): Promise<void> {
    const { owners, registry } = this.#deps;
    try {
      await this.#families.turn(id);
      const { account } = registry.get(id);
      const wanted = [{ of: id, request: { features: ["delete-on-stop" as const], autostart: true } }];
      const [child] = await branchInstances(this.#deps, account, wanted, {
        becomes: "fork",
        signal: new AbortController().signal,
      });
      if (child === undefined) throw new UniError("internal", "fork an instance: nothing was made");
      const snapshot = child.status.origin?.snapshot?.id ?? "";
      await this.#channelOf(id)?.answerFork(request, {
        id: child.id,
        snapshot,
        createdAtMs: child.createdAt,
      });
      await owners.of(child.id).start();
    } catch (thrown) {
      await this.#channelOf(id)?.answerFork(request, failureOf(toUniError(thrown, "fork an instance")));
      throw thrown;
    }
  }

  #channelOf(id: InstanceId) {
    const { registry, owners } = this.#deps;
    return registry.find(id) === undefined ? undefined : owners.of(id).live?.channel;
  }
}

function failureOf({ code }: UniError): RequestFailure {
  if (code === "quota_exceeded" || code === "none_free") return "limit";
  if (code === "no_space") return "no_space";
  return code === "delete_locked" || code === "wrong_state" ? "refused" : "failed";
}
