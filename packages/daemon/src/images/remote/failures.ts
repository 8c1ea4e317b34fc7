/** Why a registry did not give what it was asked for, in words for the person at the prompt. */
import { UniError } from "@uni/contract/errors";
import { messageOf } from "../../base/message-of.ts";
import type { Answer } from "./exchange.ts";

/** A fault of the connection that may be gone at the next try. */
const passing: ReadonlySet<string> = new Set(["ECONNRESET", "EPIPE", "ETIMEDOUT"]);
const trust = /CERT|SELF_SIGNED|ISSUER|SIGNATURE|ALTNAME/;
const tls = /^(?:EPROTO|ERR_SSL|ERR_TLS)/;

export const codeOf = (error: unknown): string => {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === "string" ? code : "";
};

export const isPassing = (error: unknown): boolean => {
  const code =
    error instanceof UniError && error.code === "unreachable" ? codeOf(error.cause) : codeOf(error);
  return passing.has(code) || code === "timed_out";
};

export function networkFailure(attempted: string, host: string, error: unknown): UniError {
  if (error instanceof UniError) return error;
  const code = codeOf(error);
  return new UniError("unreachable", `${attempted}: ${reasonOf(host, code, error)}`, {
    hint: hintOf(host, code),
    cause: error,
  });
}

function reasonOf(host: string, code: string, error: unknown): string {
  if (code === "ENOTFOUND") return `there is no host ${host}`;
  if (code === "EAI_AGAIN") return `the name ${host} could not be looked up`;
  if (code === "ECONNREFUSED") return `${host} refused the connection`;
  if (code === "ECONNRESET" || code === "EPIPE") return `${host} broke the connection off`;
  const said = messageOf(error);
  if (trust.test(code)) return `the certificate of ${host} is not trusted (${plain(said)})`;
  if (tls.test(code)) return `${host} does not speak TLS (${plain(said)})`;
  return `${host} cannot be reached (${plain(said)})`;
}

function hintOf(host: string, code: string): string {
  if (trust.test(code)) return `Put the root that signed it into /etc/docker/certs.d/${host}/ca.crt.`;
  if (tls.test(code)) return `If it speaks plain HTTP and that will do: unid --insecure-registries ${host}.`;
  if (code === "ENOTFOUND") return "Is the host in the image's name right?";
  return "Is the host in the image's name right, and does this machine reach it?";
}

const longestBody = 64 * 1024;

/** Reads the answer to its end, as far as that is worth it. */
export async function statusFailure(attempted: string, host: string, answer: Answer): Promise<UniError> {
  const { status } = answer;
  const said = await whatWasSaid(answer);
  const reason = `${host} answered ${status}${said === "" ? "" : ` (${said})`}`;
  switch (status) {
    case 401:
    case 403:
      return new UniError("registry_denied", `${attempted}: ${reason}`, {
        hint: `It may be private: uni login ${host}, or does the image's name have a mistake?`,
      });
    case 404:
      return new UniError("image_not_found", `${attempted}: ${host} has no such image`, {
        hint: "Are its name and its tag right?",
      });
    default:
      return new UniError("registry_failed", `${attempted}: ${reason}`, { hint: laterHint(answer) });
  }
}

function laterHint({ status, headers }: Answer): string {
  const after = headers["retry-after"];
  if (status !== 429) return "Try again later, or ask those who run the registry.";
  return after === undefined
    ? "It limits how much is asked of it: try again later, or log in with uni login."
    : `It limits how much is asked of it: try again after ${plain(after)} (seconds, or that date), or log in.`;
}

/** The registry's own words, by the distribution protocol's form of errors. */
async function whatWasSaid(answer: Answer): Promise<string> {
  try {
    const body: unknown = JSON.parse((await answer.read(longestBody)).toString("utf8"));
    const { errors } = body as { errors?: unknown };
    const first: unknown = Array.isArray(errors) ? errors[0] : undefined;
    const { code, message } = (first ?? {}) as { code?: unknown; message?: unknown };
    return [code, message]
      .flatMap((each) => (typeof each === "string" && each !== "" ? [plain(each)] : []))
      .join(": ");
  } catch {
    // A body that is no such document, or none at all, says nothing: the status does.
    return "";
  }
}

const longestText = 200;

/** Text from outside goes to a terminal: one line, nothing that moves the cursor. */
export function plain(text: string): string {
  const clean = text.replace(/\p{C}+/gu, " ").trim();
  return clean.length > longestText ? `${clean.slice(0, longestText)}…` : clean;
}
