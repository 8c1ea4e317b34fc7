/**
 * Reads what a user uploads as a certificate. No error carries a private key: its messages are ours, and it has no cause,
 * for a library's error may quote its input.
 */
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { UniError } from "@uni/contract/errors";
import { limits } from "@uni/contract/limits";
import type { CertificateDetails } from "./record.ts";

export interface CertificateMaterial {
  /** PEM: certificate, then its issuers. */
  readonly chain: string;
  readonly pkey: string;
}

export interface CheckedCertificate {
  readonly details: CertificateDetails;
  /** Chain and key in one PEM text, as the edge takes it. */
  readonly bundle: string;
}

const minimumRsaBits = 2048;

/** Throws unless the chain is whole, in order, in force and for `commonName`, and the key is the first certificate's. */
export function checkCertificate(
  { chain, pkey }: CertificateMaterial,
  commonName: string,
  now: number,
): CheckedCertificate {
  const certificates = readChain(chain);
  checkOrder(certificates);
  checkDates(certificates, now);
  const [leaf] = certificates;
  const details = describeCertificate(leaf);
  if (!details.names.includes(commonName)) {
    const names = details.names.slice(0, 5).join(", ") || "no host name";
    throw new UniError("certificate_mismatch", `The certificate is for ${names}, not for ${commonName}`);
  }
  const key = readPrivateKey(pkey, leaf);
  const parts = [...certificates.map(String), key.export({ type: "pkcs8", format: "pem" }).toString()];
  return { details, bundle: parts.map((part) => `${part.trim()}\n`).join("") };
}

/** Details of a bundle that `checkCertificate` made; undefined when it is broken. */
export function readBundle(bundle: string): CertificateDetails | undefined {
  try {
    const [leaf] = readChain(bundle.slice(0, bundle.indexOf("-----BEGIN PRIVATE KEY-----")));
    return leaf.checkPrivateKey(createPrivateKey(bundle)) ? describeCertificate(leaf) : undefined;
  } catch {
    return undefined;
  }
}

function readChain(text: string): [X509Certificate, ...X509Certificate[]] {
  if (text.length > limits.chainBytes) throw refused(`The chain is longer than ${limits.chainBytes} bytes`);
  if (text.includes("PRIVATE KEY")) throw refused("The chain holds a private key: it belongs into 'pkey'");
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length > limits.chainLength) {
    throw refused(`The chain has ${blocks.length} certificates; at most ${limits.chainLength} are taken`);
  }
  const [leaf, ...issuers] = blocks.map((block, index) => {
    try {
      return new X509Certificate(block);
    } catch {
      throw refused(`Certificate ${index + 1} of the chain cannot be read`);
    }
  });
  if (leaf === undefined) throw refused("The chain holds no PEM certificate");
  return [leaf, ...issuers];
}

function checkOrder(certificates: readonly X509Certificate[]): void {
  for (const [index, issuer] of certificates.slice(1).entries()) {
    const issued = certificates[index];
    const fits = issuer.ca && issued?.checkIssued(issuer) === true && issued.verify(issuer.publicKey);
    if (fits) continue;
    throw new UniError(
      "certificate_invalid",
      `Certificate ${index + 2} of the chain did not issue certificate ${index + 1}`,
      { hint: "The server's own certificate comes first, then each one's issuer." },
    );
  }
}

function checkDates(certificates: readonly X509Certificate[], now: number): void {
  for (const [index, certificate] of certificates.entries()) {
    const which = index === 0 ? "The certificate" : `Certificate ${index + 1} of the chain`;
    const { validFromDate, validToDate } = certificate;
    if (validToDate.getTime() <= now) throw refused(`${which} expired on ${validToDate.toISOString()}`);
    if (validFromDate.getTime() > now) {
      throw refused(`${which} is not valid before ${validFromDate.toISOString()}`);
    }
  }
}

function readPrivateKey(pem: string, leaf: X509Certificate): KeyObject {
  if (pem.length > limits.privateKeyBytes) {
    throw refused(`The private key is longer than ${limits.privateKeyBytes} bytes`);
  }
  let key: KeyObject;
  try {
    key = createPrivateKey({ key: pem, format: "pem" });
  } catch {
    const encrypted = pem.includes("ENCRYPTED");
    throw refused(encrypted ? "The private key is encrypted" : "The private key cannot be read");
  }
  if (!leaf.checkPrivateKey(key)) {
    throw new UniError("certificate_mismatch", "The private key is not the certificate's");
  }
  const bits = key.asymmetricKeyDetails?.modulusLength;
  if (bits !== undefined && bits < minimumRsaBits) {
    throw refused(`The private key has ${bits} bits; RSA needs at least ${minimumRsaBits}`);
  }
  return key;
}

function describeCertificate(leaf: X509Certificate): CertificateDetails {
  return {
    names: namesOf(leaf),
    subject: oneLine(leaf.subject),
    issuer: oneLine(leaf.issuer),
    serialNumber: leaf.serialNumber.toLowerCase(),
    notBefore: leaf.validFromDate.getTime(),
    notAfter: leaf.validToDate.getTime(),
  };
}

/** Alternative names; the common name of the subject only counts when there are none (RFC 6125, 6.4.4). */
function namesOf(leaf: X509Certificate): string[] {
  const alternative = (leaf.subjectAltName ?? "").split(", ");
  const hosts = alternative.filter((name) => name.startsWith("DNS:")).map((name) => name.slice(4));
  const common = /(?:^|\n)CN=([^\n]+)/.exec(leaf.subject ?? "")?.[1];
  const names = leaf.subjectAltName === undefined && common !== undefined ? [common] : hosts;
  return names.map((name) => name.toLowerCase());
}

/** Node puts each part of a distinguished name on a line; an empty name is undefined. */
const oneLine = (name: string | undefined): string => (name ?? "").split("\n").join(", ");

const refused = (message: string) => new UniError("certificate_invalid", message);
