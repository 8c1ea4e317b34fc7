/** What the edge itself answers, one line per page and form: HAProxy looks them up by key in a map file. */
import { byAwake } from "./member-counts.ts";

interface Page {
  readonly status: number;
  readonly title: string;
  readonly text: string;
  /** Seconds after which it is worth another try. */
  readonly retryAfter?: number;
}

export const pages = {
  unknown: {
    status: 404,
    title: "Service not found",
    text: "No service answers to this name on this port.",
  },
  empty: {
    status: 503,
    title: "No instance",
    text: "The service has no instance that could answer. Try again later.",
    retryAfter: 10,
  },
  full: {
    status: 503,
    title: "Service is full",
    text: "Every instance of the service is at its limit. Try again in a moment.",
    retryAfter: 1,
  },
  refused: {
    status: 502,
    title: "Application does not listen",
    text: "The instance runs, but nothing accepts connections on the port of the service.",
  },
  broken: {
    status: 502,
    title: "Application broke off",
    text: "The application closed the connection without a complete answer.",
  },
  slow: {
    status: 504,
    title: "Application does not answer",
    text: "The application accepted the request and gave no answer in time.",
  },
  asleep: {
    status: 504,
    title: "Wake-up failed",
    text: "The instance was asleep or starting, and could not be reached in time.",
    retryAfter: 10,
  },
} as const satisfies Record<string, Page>;

export type PageName = keyof typeof pages;

const pageOf = (name: PageName): Page => pages[name];

/** `txn.form` is what a client wants instead of HTML: json, or grpc, which has no page. */
const pageKey = (name: PageName, form: "" | "json"): string => `${name}-${form}`;

export const pagesFile = "pages.map";

/** HAProxy's words for the body in the form that is wanted, by those for the page's name. */
const body = (name: string): string => `%[${name},concat(-,txn.form),map(${pagesFile})]`;

const isJson = "{ var(txn.form) -m str json }";
const isGrpc = "{ var(txn.form) -m str grpc }";

/** Of a frontend: what tells the form, found in one pass through the headers. */
export const captureForm: readonly string[] = [
  "  capture request header accept len 1024",
  "  capture request header content-type len 64",
];
export const speaksGrpc = "{ capture.req.hdr(1) -m beg application/grpc }";

const findJson =
  "  http-request set-var(txn.form) str(json) if { capture.req.hdr(0) -i -m sub application/json }";
const findGrpc = "  http-request set-var(txn.form) str(grpc)";

/** A backend that answers at once, with a page for each condition. gRPC: headers alone, and the status UNAVAILABLE. */
export function answeringBackend(name: string, answers: readonly [PageName, string?][]): string[] {
  return [
    `backend ${name}`,
    "  mode http",
    findJson,
    `${findGrpc} if ${speaksGrpc}`,
    ...answers.flatMap(([page, condition = ""]) => returnPage(page, condition)),
    `  http-after-response set-header content-type application/grpc if ${isGrpc}`,
  ];
}

function returnPage(name: PageName, condition: string): string[] {
  const { status, title, retryAfter } = pageOf(name);
  const retry = retryAfter === undefined ? "" : ` hdr retry-after ${retryAfter}`;
  const page = (type: string) =>
    `status ${status} content-type ${type} lf-string "${body(`str(${name})`)}"${retry}`;
  const rule = (answer: string, form: string) => {
    const when = `${condition} ${form}`.trim();
    return `  http-request return ${answer}${when === "" ? "" : ` if ${when}`}`;
  };
  return [
    rule(page("application/json"), isJson),
    rule(`status 200 hdr grpc-status ${unavailable} hdr grpc-message "${title}"`, isGrpc),
    rule(page("text/html"), ""),
  ];
}

/** gRPC's code for "try again later"; its answers have the status 200 in HTTP. */
const unavailable = 14;

const mark = "x-uni-edge";

/**
 * What HAProxy says of a backend by itself, as pages. It has one status for whatever cannot be reached, 503, and one type
 * of content for each status: the rest is put right afterwards, by a mark that does not leave. A member that made it up would
 * change its own answers alone.
 */
export function backendPages(half: "awake" | "asleep", grpc: boolean): string[] {
  // A member that fell asleep after it was chosen has not woken: it does not refuse.
  const unreachable = half === "awake" ? byAwake("refused", "asleep") : "str(asleep)";
  const error = (status: number, name: string) =>
    `  http-error status ${status} content-type text/html lf-string "${body(name)}" hdr ${mark} "%[${name}]"`;
  const marked = (name: PageName) => `{ res.hdr(${mark}) -m str ${name} }`;
  const after = (words: string, condition: string) => `  http-after-response ${words} if ${condition}`;
  return [
    grpc ? findGrpc : findJson,
    error(503, unreachable),
    error(502, "str(broken)"),
    error(504, "str(slow)"),
    after("allow", `{ status lt 502 }`),
    after("allow", `!{ res.hdr(${mark}) -m found }`),
    after("set-header content-type application/json", isJson),
    ...(["refused", "asleep"] as const).flatMap((name) => {
      const { status, retryAfter } = pageOf(name);
      const reason = status === 502 ? "Bad Gateway" : "Gateway Timeout";
      return [
        after(`set-status ${status} reason "${reason}"`, marked(name)),
        ...(retryAfter === undefined ? [] : [after(`set-header retry-after ${retryAfter}`, marked(name))]),
      ];
    }),
    ...(["refused", "asleep", "broken", "slow"] as const).map((name) =>
      after(`set-header grpc-message "${pages[name].title}"`, `${marked(name)} ${isGrpc}`),
    ),
    after("set-header content-type application/grpc", isGrpc),
    after(`set-header grpc-status ${unavailable}`, isGrpc),
    after('set-status 200 reason "OK"', isGrpc),
    `  http-after-response del-header ${mark}`,
  ];
}

export function pagesMap(): string {
  return (Object.keys(pages) as PageName[])
    .flatMap((name) => [
      `${pageKey(name, "")} ${htmlPage(pages[name])}\n`,
      `${pageKey(name, "json")} ${jsonPage(pages[name])}\n`,
    ])
    .join("");
}

const htmlPage = ({ status, title, text }: Page): string =>
  `<!doctype html><html lang="en"><meta charset="utf-8"><title>${status} ${title}</title>` +
  `<body style="font:16px system-ui;max-width:36em;margin:15vh auto"><h1>${title}</h1><p>${text}</p><p>${status}</p></body></html>`;

const jsonPage = ({ status, title, text }: Page): string =>
  JSON.stringify({ status: "error", message: title, errors: [{ status, message: text }] });
