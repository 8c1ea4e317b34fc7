import type { UniClient } from "./client.ts";
import { createHttpClient } from "./http-client.ts";
import { createSocketClient } from "./socket-client.ts";

export type ConnectOptions =
  | { readonly socketPath: string }
  | { readonly url: string; readonly token: string | undefined };

/** Nothing is sent until the first call. */
export function connect(options: ConnectOptions): UniClient {
  return "socketPath" in options
    ? createSocketClient(options.socketPath)
    : createHttpClient(options.url, options.token);
}
