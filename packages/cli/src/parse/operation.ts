import { UniError } from "@uni/contract/errors";
import { matchOperation } from "@uni/sdk/operation-paths";

export interface FoundOperation {
  readonly id: string;
  readonly params: Readonly<Record<string, unknown>>;
}

const integers: ReadonlySet<string> = new Set(["count", "offset", "limit", "timeout_s", "timeout_ms"]);
const booleans: ReadonlySet<string> = new Set(["details"]);
const lists: ReadonlySet<string> = new Set(["uuid", "name", "tags", "namespace"]);
/** Here every member is a list, by the position of the references. */
const positional: ReadonlySet<string> = new Set(["getInstanceLogs", "waitInstances"]);

/** A query has text alone; on the socket the members have their types. A text that does not fit is left for the daemon to refuse. */
function typed(name: string, text: string): unknown {
  if (integers.has(name) && /^-?\d+$/.test(text)) return Number(text);
  if (booleans.has(name) && /^(true|false)$/.test(text)) return text === "true";
  return text;
}

function queryParams(id: string, search: URLSearchParams): Record<string, unknown> {
  const params: Record<string, unknown> = {};
  for (const name of new Set(search.keys())) {
    const values = search.getAll(name).map((text) => typed(name, text));
    const isList = values.length > 1 || lists.has(name) || positional.has(id);
    params[name] = isList ? values : values[0];
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
  return { id: match.id, params: { ...queryParams(match.id, url.searchParams), ...match.params } };
}
