/** The key of our account at an authority, and what is signed by it (RFC 7515, ES256). */
import {
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
} from "node:crypto";
import { join } from "node:path";
import { UniError } from "@uni/contract/errors";
import { ensureDirectory, readTextIfExists, writeFileAtomic } from "../../host/files.ts";

interface PublicJwk {
  readonly crv: string;
  readonly kty: string;
  readonly x: string;
  readonly y: string;
}

export interface Binding {
  readonly kid: string;
  /** base64url. */
  readonly key: string;
}

export class AccountKey {
  readonly jwk: PublicJwk;
  readonly #key: KeyObject;

  constructor(pem: string) {
    this.#key = createPrivateKey(pem);
    const { crv = "", kty = "", x = "", y = "" } = createPublicKey(this.#key).export({ format: "jwk" });
    this.jwk = { crv, kty, x, y };
  }

  /** One key per authority, made when it is first needed: accounts at different ones have nothing to do with each other. */
  static async open(directory: string, authority: string): Promise<AccountKey> {
    const path = join(directory, `${createHash("sha256").update(authority).digest("hex").slice(0, 16)}.key`);
    const stored = await readTextIfExists(path);
    if (stored !== undefined) return new AccountKey(stored);
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    await ensureDirectory(directory);
    await writeFileAtomic(path, pem, 0o600);
    return new AccountKey(pem);
  }

  /** What a challenge is answered with (RFC 8555, 8.1). */
  authorize(token: string): string {
    // Members in this order (RFC 7638, 3).
    const { crv, kty, x, y } = this.jwk;
    const print = createHash("sha256").update(JSON.stringify({ crv, kty, x, y })).digest("base64url");
    return `${token}.${print}`;
  }

  /** A request's body. `header` has nonce, url, and kid or jwk; an undefined payload only reads. */
  sign(header: object, payload: unknown): string {
    const protectedPart = encode({ alg: "ES256", ...header });
    const payloadPart = payload === undefined ? "" : encode(payload);
    const signature = sign("sha256", Buffer.from(`${protectedPart}.${payloadPart}`), {
      key: this.#key,
      dsaEncoding: "ieee-p1363",
    });
    return JSON.stringify({
      protected: protectedPart,
      payload: payloadPart,
      signature: signature.toString("base64url"),
    });
  }

  /** Proof that whoever has the external account made this key part of it (RFC 8555, 7.3.4). */
  bind({ kid, key }: Binding, url: string): object {
    const protectedPart = encode({ alg: "HS256", kid, url });
    const payload = encode(this.jwk);
    const secret = Buffer.from(key.trim(), "base64url");
    if (secret.length === 0)
      throw new UniError("invalid_value", "bind the account: its key is not base64url");
    const signature = createHmac("sha256", secret).update(`${protectedPart}.${payload}`).digest("base64url");
    return { protected: protectedPart, payload, signature };
  }
}

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
