/**
 * Tokens of the token flow. An access token says for a few minutes what its holder may do; it is signed, and nobody keeps it. A
 * refresh token is the platform token that it was got for, sealed: it ends when that one does.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  hkdfSync,
  randomBytes,
  timingSafeEqual,
} from "node:crypto";
import type { AccountId } from "@uni/contract/ids";
import type { Clock } from "../base/clock.ts";
import type { Action } from "./access.ts";

export interface Grant {
  readonly repository: string;
  readonly actions: readonly Action[];
}

export interface AccessToken {
  readonly account: AccountId;
  readonly grants: readonly Grant[];
  /** Milliseconds since the epoch. */
  readonly expires: number;
}

export const lifetimeS = 300;
const nonceBytes = 12;
const tagBytes = 16;

export class Tokens {
  readonly #clock: Clock;
  readonly #signing: Uint8Array;
  readonly #sealing: Uint8Array;

  constructor(key: Uint8Array, clock: Clock) {
    this.#clock = clock;
    this.#signing = derive(key, "access");
    this.#sealing = derive(key, "refresh");
  }

  sign(account: AccountId, grants: readonly Grant[]): string {
    const content: AccessToken = { account, grants, expires: this.#clock.now() + lifetimeS * 1000 };
    const payload = Buffer.from(JSON.stringify(content)).toString("base64url");
    return `${payload}.${this.#mac(payload).toString("base64url")}`;
  }

  /** Undefined: not ours, changed, or too old. */
  verify(token: string): AccessToken | undefined {
    const [payload = "", mac = "", ...more] = token.split(".");
    const given = Buffer.from(mac, "base64url");
    const right = this.#mac(payload);
    if (more.length > 0 || given.length !== right.length || !timingSafeEqual(given, right)) return undefined;
    const content = JSON.parse(Buffer.from(payload, "base64url").toString()) as AccessToken;
    return content.expires > this.#clock.now() ? content : undefined;
  }

  seal(platformToken: string): string {
    const nonce = randomBytes(nonceBytes);
    const cipher = createCipheriv("aes-256-gcm", this.#sealing, nonce);
    const sealed = Buffer.concat([cipher.update(platformToken, "utf8"), cipher.final()]);
    return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString("base64url");
  }

  unseal(token: string): string | undefined {
    const bytes = Buffer.from(token, "base64url");
    if (bytes.length < nonceBytes + tagBytes) return undefined;
    const cipher = createDecipheriv("aes-256-gcm", this.#sealing, bytes.subarray(0, nonceBytes));
    cipher.setAuthTag(bytes.subarray(nonceBytes, nonceBytes + tagBytes));
    try {
      const opened = [cipher.update(bytes.subarray(nonceBytes + tagBytes)), cipher.final()];
      return Buffer.concat(opened).toString();
    } catch {
      return undefined;
    }
  }

  #mac(payload: string): Buffer {
    return createHmac("sha256", this.#signing).update(payload).digest();
  }
}

const derive = (key: Uint8Array, purpose: string): Uint8Array =>
  new Uint8Array(hkdfSync("sha256", key, "", `uni registry ${purpose}`, 32));
