import { UniError } from "@uni/contract/errors";
import { matchOperation } from "@uni/sdk/operation-paths";

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

/** The operation and its parameters that a person wrote as a method and a path with its query. */
export function findOperation(method: string, text: string): FoundOperation {
  const url = new URL(text, "http://unid");
  const match = matchOperation(method, url.pathname);
  if (match === undefined) {
    throw new UniError(
      "no_such_endpoint",
      `calling ${method} ${url.pathname}: the API has no such operation`,
      {
        hint: "GET /v1/openapi.json of the REST API lists all of them.",
      },
    );
  }
  return { id: match.id, params: { ...queryParams(url.searchParams), ...match.params } };
}
