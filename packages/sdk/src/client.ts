/**
 * What a program can ask of a daemon. Two ways lead there: the unix socket carries everything, the REST API over TCP what
 * it has an operation for (the rest fails with `not_supported`). All failures are UniErrors, or the reason of the
 * caller's signal.
 */
import type { Duplex } from "node:stream";
import type { Envelope } from "@uni/contract/envelope";
import type { RpcEvents, RpcMethodName, RpcParams, RpcResults } from "@uni/contract/rpc-methods";
import type { FrameStream } from "./frame-stream.ts";

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds until the answer must be there (default two minutes); Infinity for calls that wait for a guest. */
  readonly timeoutMs?: number | undefined;
}

/** Members of the path, of the query, and `body`, as the OpenAPI document names them. */
export type OperationParams = Readonly<Record<string, unknown>>;

export interface UniClient {
  call<M extends RpcMethodName>(
    method: M,
    params: RpcParams<M>,
    options?: CallOptions,
  ): Promise<RpcResults[M]>;
  /** A call whose connection then carries frames; abandoning the iteration ends the call. */
  open<M extends RpcMethodName>(
    method: M,
    params: RpcParams<M>,
    options?: CallOptions,
  ): Promise<FrameStream<RpcResults[M]>>;
  /** What the method's event frames carry, until the stream ends. */
  events<M extends keyof RpcEvents>(
    method: M,
    params: RpcParams<M>,
    options?: CallOptions,
  ): AsyncIterable<RpcEvents[M]>;
  /** An instance's console, raw. The caller destroys it. */
  attach(id: string, options?: CallOptions): Promise<Duplex>;
  /** An operation of the REST API by its id. */
  operation(id: string, params: OperationParams, options?: CallOptions): Promise<Envelope>;
}
