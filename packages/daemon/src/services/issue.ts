/** Writes X.509 certificates. */
import { createPrivateKey, randomBytes, webcrypto } from "node:crypto";
import { loadX509 } from "./x509-library.ts";

export interface Authority {
  readonly certificate: string;
  readonly key: string;
}

export interface Validity {
  readonly notBefore: number;
  readonly notAfter: number;
}

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

export async function issueRoot(name: string, validity: Validity): Promise<Authority> {
  const x509 = await loadX509();
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    ...serialAndDates(validity),
    name: [{ CN: [name] }, { O: ["Uni"] }],
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate: `${certificate.toString("pem")}\n`, key: await exportKey(keys.privateKey) };
}

/** For the use of a TLS server under this one name. */
export async function issueLeaf(authority: Authority, name: string, validity: Validity): Promise<Authority> {
  const x509 = await loadX509();
  const root = new x509.X509Certificate(authority.certificate);
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const der = createPrivateKey(authority.key).export({ type: "pkcs8", format: "der" });
  const certificate = await x509.X509CertificateGenerator.create({
    ...serialAndDates(validity),
    // A common name has 64 characters at most (RFC 5280, appendix A.1); clients read the alternative name anyway.
    subject: name.length <= 64 ? [{ CN: [name] }] : [{ O: ["Uni"] }],
    issuer: root.subjectName,
    publicKey: keys.publicKey,
    signingKey: await webcrypto.subtle.importKey("pkcs8", der, algorithm, false, ["sign"]),
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension([{ type: "dns", value: name }]),
      await x509.AuthorityKeyIdentifierExtension.create(root.publicKey),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate: `${certificate.toString("pem")}\n`, key: await exportKey(keys.privateKey) };
}

function serialAndDates({ notBefore, notAfter }: Validity) {
  const serial = randomBytes(16);
  serial[0] = (serial[0] ?? 0) & 0x7f || 1; // Positive and without a leading zero (RFC 5280, 4.1.2.2).
  return {
    serialNumber: serial.toString("hex"),
    notBefore: new Date(notBefore),
    notAfter: new Date(notAfter),
  };
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", key));
  return createPrivateKey({ key: der, format: "der", type: "pkcs8" })
    .export({ type: "pkcs8", format: "pem" })
    .toString();
}
