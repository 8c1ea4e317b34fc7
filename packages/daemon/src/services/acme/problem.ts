/** Refusals of an authority: problem documents (RFC 7807), shown in its own words. */
import { UniError } from "@uni/contract/errors";

const longestDetail = 600;
const prefix = "urn:ietf:params:acme:error:";

export interface ProblemDocument {
  readonly type?: unknown;
  readonly detail?: unknown;
  readonly subproblems?: unknown;
}

export class AcmeProblem extends UniError {
  /** Without the prefix of RFC 8555, 6.7. */
  readonly type: string;
  /** Milliseconds that the authority wants to be left alone. */
  readonly retryAfterMs: number | undefined;

  constructor(attempted: string, document: ProblemDocument, retryAfterMs?: number) {
    const type = readType(document);
    super("acme_failed", `${attempted}: ${describe(document)}`, hintFor(type));
    this.type = type;
    this.retryAfterMs = retryAfterMs;
  }
}

/** What the authority is said to have said is foreign text: one line, printable, and not long. */
export function describe(document: ProblemDocument): string {
  const { detail, subproblems } = document;
  const parts = Array.isArray(subproblems) ? subproblems.slice(0, 3).map(subproblem) : [];
  const own = typeof detail === "string" && detail !== "" ? detail : "no reason given";
  const text = [own, ...parts.filter((part) => part !== "")].join("; ");
  return `${printable(text)} (${printable(readType(document))})`;
}

const readType = ({ type }: ProblemDocument): string =>
  (typeof type === "string" ? type.replace(prefix, "") : "about:blank").slice(0, 100);

function subproblem(value: unknown): string {
  if (typeof value !== "object" || value === null) return "";
  const { detail } = value as ProblemDocument;
  return typeof detail === "string" ? detail : "";
}

const printable = (text: string): string =>
  text.replace(/[^\x20-\x7e\u00a0-\uffff]+/g, " ").slice(0, longestDetail);

function hintFor(type: string): { readonly hint?: string } {
  switch (type) {
    case "rateLimited":
      return { hint: "The authority's limits are reached: it is asked again when it allows it." };
    case "externalAccountRequired":
      return { hint: "Give the account that it gave you: unid --acme-eab-kid and --acme-eab-key-file." };
    case "rejectedIdentifier":
      return { hint: "The authority issues nothing for this name: upload a certificate instead." };
    case "caa":
      return { hint: "The name's CAA records in DNS must allow this authority." };
    default:
      return {};
  }
}

/** Seconds or a date (RFC 9110, 10.2.3); undefined when it is neither. */
export function readRetryAfter(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}
