import type { OperationParams, UniClient } from "./client.ts";
import { type HttpApi, sendHttp } from "./http-envelope.ts";
import { httpMethods, notCarried } from "./http-methods.ts";
import { isOperation, operationPaths } from "./operation-paths.ts";

/** What is neither in the path nor the body goes into the query. */
function fillPath(path: string, { body: _, ...params }: OperationParams): string {
  const used = new Set<string>();
  const filled = path.replace(/\{(\w+)\}/g, (_match, name: string) => {
    used.add(name);
    return encodeURIComponent(String(params[name] ?? ""));
  });
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (used.has(name) || value === undefined) continue;
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
      if (!isOperation(id)) throw notCarried(id);
      const [method = "", path = ""] = operationPaths[id].split(" ");
      const request = { method, path: fillPath(path, params), body: params.body };
      const { envelope } = await sendHttp(api, request, options);
      return envelope;
    },
  };
}
