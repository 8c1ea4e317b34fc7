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
 * `starting` and `stopping` belong to a task of the owner loop; nothing else leaves them. The states draining, standby,
 * template, checkpoint and deleted of the wire are not entered yet.
 */
import type { InstanceState } from "@uni/contract/enums";

export type Request = "start" | "stop" | "force-stop" | "delete" | "maintain" | "exec";

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
export function admit(request: Request, state: InstanceState, deleteLock: boolean): Verdict {
  switch (request) {
    case "start":
      return admitStart(state);
    case "stop":
    case "force-stop":
      return admitStop(request, state);
    case "delete":
      return deleteLock ? deny("Deletion protection enabled") : interrupt;
    case "maintain":
      return state === "stopped" ? queue : deny(`it is ${state}`);
    case "exec":
      return state === "running" ? already : deny(`it is ${state}`);
    default:
      return request satisfies never;
  }
}

function admitStart(state: InstanceState): Verdict {
  switch (state) {
    case "running":
    case "starting":
      return already;
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

function admitStop(request: "stop" | "force-stop", state: InstanceState): Verdict {
  switch (state) {
    case "running":
    case "standby":
      return queue;
    case "starting":
      return interrupt;
    case "draining":
    case "stopping":
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
