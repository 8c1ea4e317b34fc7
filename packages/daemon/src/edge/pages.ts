/** What the edge itself answers, one line per page and form: HAProxy looks them up by key in a map file. */

interface Page {
  readonly status: number;
  readonly title: string;
  readonly text: string;
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
  },
  full: {
    status: 503,
    title: "Service is full",
    text: "Every instance of the service is at its limit. Try again in a moment.",
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
    text: "The instance was asleep and did not wake up in time.",
  },
} as const satisfies Record<string, Page>;

export type PageName = keyof typeof pages;

export const pageKey = (name: PageName, form: "html" | "json"): string => `${name}-${form}`;

export function pagesMap(): string {
  return (Object.keys(pages) as PageName[])
    .flatMap((name) => [
      `${pageKey(name, "html")} ${htmlPage(pages[name])}\n`,
      `${pageKey(name, "json")} ${jsonPage(pages[name])}\n`,
    ])
    .join("");
}

const htmlPage = ({ status, title, text }: Page): string =>
  `<!doctype html><html lang="en"><meta charset="utf-8"><title>${status} ${title}</title>` +
  `<body style="font:16px system-ui;max-width:36em;margin:15vh auto"><h1>${title}</h1><p>${text}</p><p>${status}</p></body></html>`;

const jsonPage = ({ status, title, text }: Page): string =>
  JSON.stringify({ status: "error", message: title, errors: [{ status, message: text }] });
