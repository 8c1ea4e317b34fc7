/** Kinds of proof that a name is ours (RFC 8555, 8; RFC 8737). */
export const challengeTypes = ["http-01", "tls-alpn-01", "dns-01"] as const;
export type ChallengeType = (typeof challengeTypes)[number];

export interface Proof {
  readonly type: ChallengeType;
  readonly fqdn: string;
  readonly token: string;
  /** RFC 8555, 8.1. */
  readonly keyAuthorization: string;
  /** The authority was asked to look for it. */
  readonly isAsked: boolean;
}

export interface AcmeOptions {
  /** HTTPS address of the authority's directory. */
  readonly directory: string;
  /** Where the authority may write to. */
  readonly email: string | undefined;
  /** PEM file of the roots that vouch for the authority's own server; undefined: those of Node. */
  readonly caFile: string | undefined;
  /** Undefined: whichever can work, another one at each attempt. */
  readonly challenge: ChallengeType | undefined;
  /** Program that sets and clears DNS records. */
  readonly dnsHook: string | undefined;
  /** An account that the authority has already, to bind ours to; the file holds its key (base64url). */
  readonly binding: { readonly kid: string; readonly keyFile: string } | undefined;
}
