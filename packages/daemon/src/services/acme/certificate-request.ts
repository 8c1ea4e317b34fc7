/** What our side of an order needs of X.509: the request with its key, and the certificate that answers TLS-ALPN-01. */
import { createHash, createPrivateKey, webcrypto } from "node:crypto";
import { loadX509 } from "../x509-library.ts";

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const hourMs = 3_600_000;
/** id-pe-acmeIdentifier (RFC 8737, 6.1). */
const acmeIdentifier = "1.3.6.1.5.5.7.1.31";

/** PEM, PKCS#8. */
export async function makeKey(): Promise<string> {
  const { privateKey } = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  return toPem(Buffer.from(await webcrypto.subtle.exportKey("pkcs8", privateKey)));
}

/** base64url of the request's DER, as an order is finished with. */
export async function makeRequest(fqdn: string, keyPem: string): Promise<string> {
  const x509 = await loadX509();
  const { privateKey, publicKey } = await readKeys(keyPem);
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    keys: { privateKey, publicKey },
    signingAlgorithm: algorithm,
    extensions: [new x509.SubjectAlternativeNameExtension([{ type: "dns", value: fqdn }])],
  });
  return Buffer.from(request.rawData).toString("base64url");
}

/** Certificate and key in one PEM text (RFC 8737, 3). */
export async function makeChallengeCertificate(
  fqdn: string,
  keyAuthorization: string,
  now: number,
): Promise<string> {
  const x509 = await loadX509();
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const digest = createHash("sha256").update(keyAuthorization).digest();
  const octets = Buffer.concat([Buffer.from([0x04, digest.length]), digest]);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: "01",
    name: [{ O: ["Uni"] }],
    notBefore: new Date(now - hourMs),
    notAfter: new Date(now + 24 * hourMs),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.SubjectAlternativeNameExtension([{ type: "dns", value: fqdn }]),
      new x509.Extension(acmeIdentifier, true, new Uint8Array(octets)),
    ],
  });
  const key = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey));
  return `${certificate.toString("pem")}\n${toPem(key)}`;
}

async function readKeys(pem: string): Promise<webcrypto.CryptoKeyPair> {
  const key = createPrivateKey(pem);
  const der = key.export({ type: "pkcs8", format: "der" });
  const { kty = "", crv = "", x = "", y = "" } = key.export({ format: "jwk" });
  return {
    privateKey: await webcrypto.subtle.importKey("pkcs8", der, algorithm, false, ["sign"]),
    publicKey: await webcrypto.subtle.importKey("jwk", { kty, crv, x, y }, algorithm, true, ["verify"]),
  };
}

const toPem = (der: Buffer): string =>
  createPrivateKey({ key: der, format: "der", type: "pkcs8" })
    .export({ type: "pkcs8", format: "pem" })
    .toString();
