/**
 * Templates that a request describes: one of the name is used, or made by running an instance until its program asks to become
 * one. Requests for one name share the work. Without a name it is gone after the request that it was made for.
 */
import { UniError } from "@uni/contract/errors";
import type { AccountId, InstanceId } from "@uni/contract/ids";
import { limits } from "@uni/contract/limits";
import type { CreateInstanceRequest } from "@uni/contract/resources/instance";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { withSuffix } from "../instances/names.ts";
import type { Owners } from "../instances/owners.ts";
import type { InstanceRecord } from "../instances/record.ts";
import type { Registry } from "../instances/registry.ts";
import type { SavedInstance } from "../snapshots/record.ts";
import type { SavedInstances } from "../snapshots/saved-instances.ts";

export interface OnDemandDependencies {
  readonly registry: Registry;
  readonly owners: Owners;
  readonly saved: SavedInstances;
  readonly clock: Clock;
  readonly log: Log;
  /** One instance, marked as a preparation, not started. */
  readonly create: (account: AccountId, request: CreateInstanceRequest) => Promise<InstanceRecord>;
}

export interface Prepared {
  readonly saved: SavedInstance;
  /** Of one without a name: removes it. */
  readonly release: () => Promise<void>;
}

type TemplatePart = NonNullable<CreateInstanceRequest["template"]>;

interface Awaited {
  readonly name: string | undefined;
  readonly autokillMs: number;
  readonly outcome: PromiseWithResolvers<SavedInstance>;
}

export class OnDemandTemplates {
  readonly #deps: OnDemandDependencies;
  readonly #byName = new Map<string, Promise<SavedInstance>>();
  readonly #awaited = new Map<InstanceId, Awaited>();

  constructor(deps: OnDemandDependencies) {
    this.#deps = deps;
    deps.registry.onChange((after, before) => {
      const id = after?.id ?? before?.id;
      if (id !== undefined && this.#awaited.has(id)) this.#onChange(id, after);
    });
  }

  /** `signal` ends the wait, not the work: others may wait for the same. */
  async prepare(account: AccountId, part: TemplatePart, signal: AbortSignal): Promise<Prepared> {
    const { name } = part;
    if (name === undefined) {
      const saved = await this.#make(account, part);
      return { saved, release: () => this.#remove(saved.id) };
    }
    const existing = this.#deps.saved
      .of("template")
      .ofAccount(account)
      .find((each) => each.name === name);
    const saved = existing ?? (await orAborted(this.#share(account, name, part), signal));
    return { saved, release: async () => {} };
  }

  /** What an instance that asks to become a template is to be; undefined: nobody waits for it. */
  wanted(id: InstanceId): Pick<Awaited, "name" | "autokillMs"> | undefined {
    return this.#awaited.get(id);
  }

  /** How that went. */
  settle(id: InstanceId, template: SavedInstance | UniError): void {
    const awaited = this.#awaited.get(id);
    if (template instanceof UniError) awaited?.outcome.reject(template);
    else awaited?.outcome.resolve(template);
  }

  #share(account: AccountId, name: string, part: TemplatePart): Promise<SavedInstance> {
    const key = `${account}\n${name}`;
    const known = this.#byName.get(key);
    if (known !== undefined) return known;
    const made = this.#make(account, part).finally(() => this.#byName.delete(key));
    this.#byName.set(key, made);
    return made;
  }

  async #make(account: AccountId, part: TemplatePart): Promise<SavedInstance> {
    const { name, prepare_timeout_s: timeoutS = limits.prepareTimeoutS.default } = part;
    const request = part.create_args as CreateInstanceRequest;
    const { id } = await this.#deps.create(account, {
      ...request,
      name: request.name ?? withSuffix(name ?? "template"),
      autostart: true,
      replicas: 0,
      delete_lock: false,
    });
    const outcome = Promise.withResolvers<SavedInstance>();
    outcome.promise.catch(() => {}); // Who waits for it meets it, perhaps later.
    this.#awaited.set(id, { name, autokillMs: part.autokill?.time_ms ?? 0, outcome });
    const cancel =
      timeoutS === 0
        ? () => {}
        : this.#deps.clock.after(timeoutS * 1000, () => outcome.reject(tooLate(timeoutS)));
    try {
      this.#deps.owners.of(id).start().catch(outcome.reject);
      return await outcome.promise;
    } catch (error) {
      await this.#giveUp(id);
      throw error;
    } finally {
      cancel();
      this.#awaited.delete(id);
    }
  }

  #onChange(id: InstanceId, after: InstanceRecord | undefined): void {
    // Its removal is also how it becomes the template.
    if (after === undefined && this.#deps.saved.find(id) !== undefined) return;
    if (after !== undefined && (after.status.state !== "stopped" || after.status.startCount === 0)) return;
    if (after?.status.restart) return;
    const reason = after?.status.exitReason ?? (after === undefined ? "it was removed" : "its program ended");
    this.settle(
      id,
      new UniError(
        "failed",
        `prepare a template: its instance ended before it asked to become one: ${reason}`,
        {
          hint: "Its program writes 1 to /uk/libukp/template_instance when it is ready.",
        },
      ),
    );
  }

  async #giveUp(id: InstanceId): Promise<void> {
    if (this.#deps.registry.find(id) === undefined) return;
    await this.#deps.owners
      .of(id)
      .delete()
      .catch((error) => this.#deps.log.warn({ err: error, instance: id }, "removing a preparation failed"));
  }

  async #remove(id: InstanceId): Promise<void> {
    if (this.#deps.saved.find(id) !== undefined) await this.#deps.saved.remove(id, this.#deps.clock.now());
  }
}

const tooLate = (seconds: number): UniError =>
  new UniError(
    "timed_out",
    `prepare a template: its instance did not ask to become one within ${seconds} s`,
    {
      hint: "Its program writes 1 to /uk/libukp/template_instance when it is ready; prepare_timeout_s gives it longer.",
    },
  );

function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });
  return Promise.race([work, promise]).finally(() => signal.removeEventListener("abort", onAbort));
}
