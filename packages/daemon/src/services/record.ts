import type { ConnectionHandler } from "@uni/contract/enums";
import type { AccountId, CertificateId, ServiceGroupId } from "@uni/contract/ids";
import type { Proof } from "./acme/options.ts";

export interface GroupService {
  readonly port: number;
  readonly destinationPort: number;
  readonly handlers: readonly ConnectionHandler[];
}

export interface GroupDomain {
  /** In lower case: a label below the node's domain, or a full name with its final dot. */
  readonly name: string;
  /** Null: the one that fits, or one of the local authority. */
  readonly certificate: CertificateId | null;
}

export interface GroupSpec {
  /** False: made together with an instance, and gone with its last one. */
  readonly persistent: boolean;
  readonly services: readonly GroupService[];
  readonly domains: readonly GroupDomain[];
  readonly softLimit: number;
  readonly hardLimit: number;
  /** Milliseconds that it may be empty; 0: for ever. */
  readonly autokillMs: number;
}

export interface GroupRecord {
  readonly id: ServiceGroupId;
  readonly sequence: number;
  readonly account: AccountId;
  readonly name: string;
  readonly createdAt: number;
  readonly spec: GroupSpec;
  /** Null while it has members. */
  readonly emptySince: number | null;
}

/** What a certificate says of itself; times in milliseconds since the epoch. */
export interface CertificateDetails {
  /** DNS names in lower case, without final dot; may begin with `*.`. */
  readonly names: readonly string[];
  readonly subject: string;
  readonly issuer: string;
  readonly serialNumber: string;
  readonly notBefore: number;
  readonly notAfter: number;
}

export interface CertificateRecord {
  readonly id: CertificateId;
  readonly sequence: number;
  readonly account: AccountId;
  readonly name: string;
  readonly createdAt: number;
  /** Without final dot. */
  readonly commonName: string;
  /** Undefined: not issued yet, or its file is gone or broken. */
  readonly details: CertificateDetails | undefined;
  /** Undefined: it was uploaded. */
  readonly acme: AcmeProgress | undefined;
}

/** How far a certificate is that an authority issues; times in milliseconds since the epoch. */
export interface AcmeProgress {
  /** Attempts in a row that failed. */
  readonly failures: number;
  /** When it is tried or renewed next. */
  readonly nextAt: number;
  /** Why the last attempt failed, with what to do about it. */
  readonly reason: string | undefined;
  /** Address of the order that is under way. */
  readonly orderUrl: string | undefined;
  /** Put where the authority looks for it, and to be taken away. */
  readonly proof: Proof | undefined;
}
