/**
 * The state machine of an instance, and who may do what in which state.
 *
 *                     start                    first instruction
 *     create ──► stopped ──────────► starting ──────────────────► running
 *                  ▲  ▲                 │                          │   │
 *                  │  └── start fails ──┘                 stop     │   │ program or kernel ends,
 *                  │                                   ┌───────────┘   │ VMM dies
 *                  └────────────── stopping ◄──────────┴───────────────┘
 *
 *     delete from any state (not while delete-locked) ends in: gone.
 *
 * `running` goes to `standby` and back as sleeper.ts draws it; on the way its intent is "sleep" while the state is `stopping`.
 *
 * `starting` and `stopping` belong to a task of the owner loop; nothing else leaves them. `draining` is how a running one is
 * shown while it finishes what it has, see drains.ts. The states template, checkpoint and deleted of the wire are not entered yet.
 */
import type { InstanceState } from "@uni/contract/enums";
import { messages } from "@uni/contract/envelope";
import { UniError } from "@uni/contract/errors";
import type { InstanceRecord, InstanceStatus } from "./record.ts";

export type Request = "start" | "stop" | "force-stop" | "delete" | "sleep" | "maintain" | "exec";

export type Verdict =
  /** Run it when its turn comes. `interrupt`: end the task under way first. */
  | { readonly kind: "queue"; readonly interrupt: boolean }
  /** Nothing to do. */
  | { readonly kind: "already" }
  | { readonly kind: "deny"; readonly reason: string };

const queue: Verdict = { kind: "queue", interrupt: false };
const interrupt: Verdict = { kind: "queue", interrupt: true };
const already: Verdict = { kind: "already" };
const deny = (reason: string): Verdict => ({ kind: "deny", reason });

/** Pure: what becomes of a request in a state. */
export function admit(
  request: Request,
  { state, intent }: Pick<InstanceStatus, "state" | "intent">,
  deleteLock: boolean,
): Verdict {
  switch (request) {
    case "start":
      return admitStart(state, intent);
    case "stop":
    case "force-stop":
      return admitStop(request, state, intent);
    case "delete":
      return deleteLock ? deny(messages.deletionLocked) : interrupt;
    case "sleep":
      return admitSleep(state, intent);
    case "maintain":
      return state === "stopped" ? queue : deny(`it is ${state}`);
    case "exec":
      return state === "running" ? already : deny(`it is ${state}`);
    default:
      return request satisfies never;
  }
}

/** Throws for what is denied. */
export function requireAdmitted(
  request: Request,
  { name, spec, status }: InstanceRecord,
): "queue" | "interrupt" | "already" {
  const verdict = admit(request, status, spec.deleteLock);
  switch (verdict.kind) {
    case "already":
      return "already";
    case "queue":
      return verdict.interrupt ? "interrupt" : "queue";
    case "deny":
      if (verdict.reason === messages.deletionLocked) {
        throw new UniError("delete_locked", messages.deletionLocked, {
          hint: `Set delete_lock to false first: uni update ${name} --no-delete-lock`,
        });
      }
      throw new UniError("wrong_state", `${request} instance '${name}': ${verdict.reason}`);
    default:
      return verdict satisfies never;
  }
}

/** A stop that was let in but has not had its turn is as good as begun: the start comes behind it. */
function admitStart(state: InstanceState, intent: InstanceStatus["intent"]): Verdict {
  if (intent === "delete") return deny("it is being deleted");
  switch (state) {
    case "running":
    case "starting":
      return intent === "run" ? already : queue;
    case "stopped":
    case "stopping":
    case "draining":
    case "standby":
      return queue;
    case "template":
    case "checkpoint":
    case "deleted":
      return deny(`it is a ${state}`);
    default:
      return state satisfies never;
  }
}

function admitSleep(state: InstanceState, intent: InstanceStatus["intent"]): Verdict {
  if (intent === "sleep") return already;
  return state === "running" && intent === "run" ? queue : deny(`it is ${state}`);
}

/** A task on its way to sleep, or deeper into it, is not waited for. */
function admitStop(
  request: "stop" | "force-stop",
  state: InstanceState,
  intent: InstanceStatus["intent"],
): Verdict {
  switch (state) {
    case "running":
      return queue;
    case "starting":
    case "standby":
      return interrupt;
    case "draining":
    case "stopping":
      if (intent === "sleep") return interrupt;
      return request === "force-stop" ? interrupt : already;
    case "stopped":
      return already;
    case "template":
    case "checkpoint":
    case "deleted":
      return deny(`it is a ${state}`);
    default:
      return state satisfies never;
  }
}
