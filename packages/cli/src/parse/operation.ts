import { UniError } from "@uni/contract/errors";

export interface FoundOperation {
  readonly id: string;
  readonly params: Readonly<Record<string, unknown>>;
}

function queryParams(search: URLSearchParams): Record<string, unknown> {
  const params: Record<string, unknown> = {};
  for (const name of new Set(search.keys())) {
    const values = search.getAll(name);
    params[name] = values.length > 1 ? values : values[0];
  }
  return params;
}

/** The operation that a method and a path name; a fixed path wins over one with a {uuid}. */
export async function findOperation(method: string, text: string): Promise<FoundOperation> {
  const { operations } = await import("@uni/contract/operations");
  const url = new URL(text, "http://unid");
  let found: FoundOperation | undefined;
  for (const [id, operation] of Object.entries(operations)) {
    if (operation.method !== method) continue;
    const names = [...operation.path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? "");
    const pattern = new RegExp(`^${operation.path.replace(/\{\w+\}/g, "([^/]+)")}/?$`);
    const match = pattern.exec(url.pathname);
    if (match === null || (found !== undefined && names.length > 0)) continue;
    const path = Object.fromEntries(
      names.map((name, index) => [name, decodeURIComponent(match[index + 1] ?? "")]),
    );
    found = { id, params: { ...queryParams(url.searchParams), ...path } };
  }
  if (found === undefined) {
    throw new UniError(
      "no_such_endpoint",
      `calling ${method} ${url.pathname}: the API has no such operation`,
      {
        hint: "GET /v1/openapi.json of the REST API lists all of them.",
      },
    );
  }
  return found;
}
