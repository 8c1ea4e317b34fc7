import { UniError } from "@uni/contract/errors";
import type { UniClient } from "./client.ts";
import { type HttpApi, sendHttp } from "./http-envelope.ts";
import { httpMethods } from "./http-methods.ts";

function notCarried(method: string): UniError {
  return new UniError("not_supported", `calling ${method} over TCP: the REST API has no such operation`, {
    hint: "Use the unix socket on the daemon's own machine: leave --host and UNI_HOST out.",
  });
}

function fillPath(
  path: string,
  params: Readonly<Record<string, unknown>>,
  query: ReadonlySet<string>,
): string {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(String(params[name] ?? "")),
  );
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (!query.has(name)) continue;
    for (const item of Array.isArray(value) ? value : [value]) search.append(name, String(item));
  }
  return search.size === 0 ? filled : `${filled}?${search}`;
}

/** A client of the REST API. */
export function createHttpClient(url: string, token: string | undefined): UniClient {
  const api: HttpApi = { url, token };
  return {
    call(method, params, options) {
      const handler = httpMethods[method];
      return handler === undefined
        ? Promise.reject(notCarried(method))
        : (handler(api, params, options) as never);
    },
    open: (method) => Promise.reject(notCarried(method)),
    events: (method) => {
      throw notCarried(method);
    },
    attach: () => Promise.reject(notCarried("VM.Attach")),
    async operation(id, params, options) {
      // The table brings its schemas along, so it is loaded by the few who need it.
      const { operations } = await import("@uni/contract/operations");
      if (!Object.hasOwn(operations, id)) throw notCarried(id);
      const { method, path, query } = operations[id as keyof typeof operations];
      const filled = fillPath(path, params, new Set(Object.keys(query.properties)));
      const { envelope } = await sendHttp(api, { method, path: filled, body: params.body }, options);
      return envelope;
    },
  };
}
