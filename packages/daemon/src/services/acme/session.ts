/** Talks to one authority in the name of one account (RFC 8555): directory, nonces, signatures, refusals. */
import { UniError } from "@uni/contract/errors";
import type { Clock } from "../../base/clock.ts";
import type { AccountKey, Binding } from "./account-key.ts";
import { AcmeProblem, type ProblemDocument, readRetryAfter } from "./problem.ts";
import type { AcmeAnswer, Transport } from "./transport.ts";

export interface SessionOptions {
  readonly directory: string;
  readonly transport: Transport;
  readonly key: AccountKey;
  readonly email: string | undefined;
  readonly binding: Binding | undefined;
  readonly clock: Clock;
}

export interface Reply {
  readonly body: string;
  /** The resource's own address, where one was made. */
  readonly location: string | undefined;
  readonly retryAfterMs: number | undefined;
}

interface Directory {
  readonly newNonce: string;
  readonly newAccount: string;
  readonly newOrder: string;
}

/** An authority may refuse a nonce that it gave (6.5), also some times in a row. */
const nonceAttempts = 10;
const mostNonces = 20;

/** What an order needs of it. */
export type AcmeAuthority = Pick<AcmeSession, "key" | "newOrder" | "post">;

export class AcmeSession {
  readonly key: AccountKey;
  readonly #options: SessionOptions;
  #directory: Directory | undefined;
  #account: Promise<string> | undefined;
  readonly #nonces: string[] = [];

  constructor(options: SessionOptions) {
    this.#options = options;
    this.key = options.key;
  }

  newOrder(fqdn: string, signal: AbortSignal): Promise<Reply> {
    // Its addresses may have changed since the last order, months ago.
    this.#directory = undefined;
    const payload = { identifiers: [{ type: "dns", value: fqdn }] };
    return this.#asAccount(
      (directory) => directory.newOrder,
      payload,
      `order a certificate for ${fqdn}`,
      signal,
    );
  }

  /** `payload` undefined: reads (6.3). */
  post(url: string, payload: unknown, attempted: string, signal: AbortSignal): Promise<Reply> {
    return this.#asAccount(() => url, payload, attempted, signal);
  }

  async #asAccount(
    urlOf: (directory: Directory) => string,
    payload: unknown,
    attempted: string,
    signal: AbortSignal,
  ): Promise<Reply> {
    const directory = await this.#open(signal);
    for (let isSecond = false; ; isSecond = true) {
      const kid = await this.#enrol(directory, signal);
      try {
        return await this.#signed(directory, urlOf(directory), { kid }, payload, attempted, signal);
      } catch (error) {
        if (!(error instanceof AcmeProblem) || error.type !== "accountDoesNotExist" || isSecond) throw error;
        // The authority forgot the account: it is made anew.
        this.#account = undefined;
      }
    }
  }

  async #open(signal: AbortSignal): Promise<Directory> {
    if (this.#directory !== undefined) return this.#directory;
    const { directory: url, transport } = this.#options;
    const answer = await transport.send({ method: "GET", url }, signal);
    const attempted = `read the directory of the certificate authority ${url}`;
    if (answer.status !== 200) throw new UniError("acme_failed", `${attempted}: status ${answer.status}`);
    const body = readObject<Partial<Directory>>(answer.body, attempted);
    const { newNonce, newAccount, newOrder } = body;
    if (typeof newNonce !== "string" || typeof newAccount !== "string" || typeof newOrder !== "string") {
      throw new UniError("acme_failed", `${attempted}: it is no directory of RFC 8555`);
    }
    this.#directory = { newNonce, newAccount, newOrder };
    return this.#directory;
  }

  /** The account's address; asking again for an account that is there answers with it (7.3.1). */
  #enrol(directory: Directory, signal: AbortSignal): Promise<string> {
    this.#account ??= this.#newAccount(directory, signal).catch((error) => {
      this.#account = undefined;
      throw error;
    });
    return this.#account;
  }

  async #newAccount(directory: Directory, signal: AbortSignal): Promise<string> {
    const { email, binding } = this.#options;
    const url = directory.newAccount;
    const payload = {
      termsOfServiceAgreed: true,
      ...(email === undefined ? {} : { contact: [`mailto:${email}`] }),
      ...(binding === undefined ? {} : { externalAccountBinding: this.key.bind(binding, url) }),
    };
    const attempted = "open an account at the certificate authority";
    const { location } = await this.#signed(
      directory,
      url,
      { jwk: this.key.jwk },
      payload,
      attempted,
      signal,
    );
    if (location === undefined) throw new UniError("acme_failed", `${attempted}: it does not say which one`);
    return location;
  }

  async #signed(
    directory: Directory,
    url: string,
    signer: object,
    payload: unknown,
    attempted: string,
    signal: AbortSignal,
  ): Promise<Reply> {
    const { transport, clock } = this.#options;
    for (let attempt = 1; ; attempt++) {
      const nonce = this.#nonces.pop() ?? (await this.#newNonce(directory, signal));
      const body = this.key.sign({ nonce, url, ...signer }, payload);
      const answer = await transport.send({ method: "POST", url, body }, signal);
      const retryAfterMs = readRetryAfter(answer.headers["retry-after"], clock.now());
      const isGood = answer.status < 400;
      const problem = isGood ? undefined : new AcmeProblem(attempted, readProblem(answer), retryAfterMs);
      // Those that lie here are as old as the one that was refused; the refusal brings a new one.
      if (problem?.type === "badNonce") this.#nonces.length = 0;
      this.#keepNonce(answer);
      if (problem === undefined) {
        return { body: answer.body, location: answer.headers.location, retryAfterMs };
      }
      if (problem.type !== "badNonce" || attempt === nonceAttempts) throw problem;
    }
  }

  async #newNonce(directory: Directory, signal: AbortSignal): Promise<string> {
    const answer = await this.#options.transport.send({ method: "HEAD", url: directory.newNonce }, signal);
    this.#keepNonce(answer);
    const nonce = this.#nonces.pop();
    if (nonce === undefined)
      throw new UniError("acme_failed", "ask the certificate authority for a nonce: it gives none");
    return nonce;
  }

  #keepNonce({ headers }: AcmeAnswer): void {
    const nonce = headers["replay-nonce"];
    if (typeof nonce === "string" && /^[\w-]{1,500}$/.test(nonce) && this.#nonces.length < mostNonces) {
      this.#nonces.push(nonce);
    }
  }
}

export function readObject<T>(text: string, attempted: string): T {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return value as T;
  } catch {
    // Said below.
  }
  throw new UniError("acme_failed", `${attempted}: the answer is no JSON object`);
}

function readProblem({ status, body }: AcmeAnswer): ProblemDocument {
  try {
    return readObject<ProblemDocument>(body, "");
  } catch {
    return { type: `status ${status}` };
  }
}
