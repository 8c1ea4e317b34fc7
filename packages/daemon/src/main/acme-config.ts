/** Options of unid about certificates by ACME. */
import { isAbsolute, resolve } from "node:path";
import { UniError } from "@uni/contract/errors";
import { type AcmeOptions, challengeTypes } from "../services/acme/options.ts";

export const acmeOptionNames = {
  "acme-directory": { type: "string" },
  "acme-email": { type: "string" },
  "acme-ca": { type: "string" },
  "acme-challenge": { type: "string" },
  "acme-dns-hook": { type: "string" },
  "acme-eab-kid": { type: "string" },
  "acme-eab-key-file": { type: "string" },
} as const;

export const acmeUsage = `Certificates of full names by ACME (RFC 8555). Without a directory the local authority issues them.
Naming one accepts its terms of service:
  --acme-directory URL           the authority's directory
                                 (UNI_ACME_DIRECTORY, default none)
  --acme-email ADDRESS           where it may write to
                                 (UNI_ACME_EMAIL)
  --acme-ca FILE                 roots of a private authority's server, PEM
                                 (UNI_ACME_CA)
  --acme-challenge TYPE          http-01, tls-alpn-01 or dns-01; wildcards always by dns-01
                                 (UNI_ACME_CHALLENGE, default whichever works)
  --acme-dns-hook PROGRAM        run as PROGRAM present|cleanup FQDN VALUE, and ends once the
                                 TXT record is to be seen, or gone
                                 (UNI_ACME_DNS_HOOK)
  --acme-eab-kid ID              account that the authority has already
                                 (UNI_ACME_EAB_KID)
  --acme-eab-key-file FILE       its key, base64url
                                 (UNI_ACME_EAB_KEY_FILE)
`;

type Values = Readonly<Partial<Record<keyof typeof acmeOptionNames, string>>>;

/** Undefined: none is obtained. */
export function readAcmeOptions(values: Values, env: NodeJS.ProcessEnv): AcmeOptions | undefined {
  const read = (name: keyof Values): string | undefined => {
    const text = values[name] ?? env[`UNI_${name.toUpperCase().replaceAll("-", "_")}`];
    return text === "" ? undefined : text;
  };
  const directory = read("acme-directory");
  const given = (Object.keys(acmeOptionNames) as (keyof Values)[]).filter((name) => read(name) !== undefined);
  if (directory === undefined) {
    if (given.length === 0) return undefined;
    throw refused(`--${given.join(", --")} without a directory`, "Give one: --acme-directory URL.");
  }
  if (URL.parse(directory)?.protocol !== "https:") {
    throw refused(
      `--acme-directory '${directory}' is no HTTPS address`,
      "Authorities publish it in their documentation.",
    );
  }
  const dnsHook = read("acme-dns-hook");
  if (dnsHook !== undefined && !isAbsolute(dnsHook)) {
    throw refused(
      `--acme-dns-hook '${dnsHook}' is no absolute path`,
      "For example /usr/local/bin/set-record.",
    );
  }
  const challenge = readChallenge(read("acme-challenge"));
  if (challenge === "dns-01" && dnsHook === undefined) {
    throw refused("--acme-challenge dns-01 without a program", "Give one: --acme-dns-hook PROGRAM.");
  }
  return {
    directory,
    email: readEmail(read("acme-email")),
    caFile: fileOf(read("acme-ca")),
    challenge,
    dnsHook,
    binding: readBinding(read("acme-eab-kid"), fileOf(read("acme-eab-key-file"))),
  };
}

function readChallenge(text: string | undefined): AcmeOptions["challenge"] {
  const type = challengeTypes.find((each) => each === text);
  if (text === undefined || type !== undefined) return type;
  throw refused(`--acme-challenge '${text}' is unknown`, `One of ${challengeTypes.join(", ")}.`);
}

function readEmail(text: string | undefined): string | undefined {
  if (text === undefined || /^[^\s@]+@[^\s@]+$/.test(text)) return text;
  throw refused(`--acme-email '${text}' is no address`, "For example admin@example.com.");
}

function readBinding(kid: string | undefined, keyFile: string | undefined): AcmeOptions["binding"] {
  if (kid !== undefined && keyFile !== undefined) return { kid, keyFile };
  if (kid === undefined && keyFile === undefined) return undefined;
  throw refused("--acme-eab-kid and --acme-eab-key-file go together", "The authority gives both.");
}

const fileOf = (path: string | undefined) => (path === undefined ? undefined : resolve(path));

const refused = (reason: string, hint: string) =>
  new UniError("invalid_value", `read the options: ${reason}`, { hint });
