import type { AccountId } from "@uni/contract/ids";
import type { Log } from "../base/log.ts";
import type { Answer } from "./outcome.ts";

/** One operation asked for, however it came: checked against its schemas, and nothing of its transport left in it. */
export interface Call {
  readonly account: AccountId;
  /** False only on a public operation that was asked for without a token. */
  readonly authenticated: boolean;
  /** Of the path, as is the name. */
  readonly uuid?: string | undefined;
  readonly name?: string | undefined;
  /** Checked against the operation's query schema. */
  readonly query: object;
  /** Checked against the operation's body schema; undefined when there was none. */
  readonly body: unknown;
  /** The client takes Prometheus text where there is some. */
  readonly wantsText: boolean;
  /** Aborts when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
  readonly log: Log;
}

export type Handler = (call: Call) => Promise<Answer> | Answer;
