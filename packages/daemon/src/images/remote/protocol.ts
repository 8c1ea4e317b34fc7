import { UniError } from "@uni/contract/errors";
import type { Address } from "./address.ts";
import { type ExchangeContext, exchange } from "./exchange.ts";
import { codeOf } from "./failures.ts";

/**
 * What a client sees that speaks TLS to a server that does not, or where nobody speaks TLS at all; or whose host only a proxy
 * knows, and that one is for plain HTTP.
 */
const noTls = /^(?:EPROTO|ECONNRESET|ECONNREFUSED|EPIPE|ENOTFOUND|EAI_AGAIN|ERR_PROXY_TUNNEL|ERR_SSL_.*)$/;

/** TLS wherever it is spoken; plain HTTP only where that is allowed and TLS is not understood. */
export async function findProtocol(
  context: ExchangeContext,
  { url, mayBePlain }: Address,
  signal: AbortSignal,
): Promise<URL> {
  if (!mayBePlain) return url;
  try {
    const answer = await exchange(context, { method: "GET", url: new URL("/v2/", url), headers: {}, signal });
    answer.discard();
    return url;
  } catch (error) {
    if (signal.aborted || error instanceof UniError || !noTls.test(codeOf(error))) throw error;
    return new URL(`http://${url.host}`);
  }
}
