/**
 * The authority of this installation: one root, made when it is first needed, and certificates under it for the names that
 * nobody uploaded one for. A key is written before its certificate, so a crash leaves a key that is simply made anew.
 */
import { createHash, createPublicKey, randomBytes, X509Certificate } from "node:crypto";
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import { KeyedQueue } from "../base/keyed-queue.ts";
import { ensureDirectory, readTextIfExists, writeFileAtomic } from "../host/files.ts";
import { type Authority, issueLeaf, issueRoot } from "./issue.ts";

const dayMs = 86_400_000;
const rootLifetimeMs = 3_650 * dayMs;
/** A common name has 64 characters at most (RFC 5280, appendix A.1). */
const longestNodeName = 32;
/** Browsers refuse leaves that are valid for more than 398 days. */
const leafLifetimeMs = 90 * dayMs;
const renewBeforeMs = 30 * dayMs;

export interface LocalCaRoot {
  readonly pem: string;
  readonly subject: string;
  readonly fingerprint: string;
  readonly notAfter: number;
}

export interface LocalLeaf {
  /** Certificate, root and key in one PEM file. */
  readonly path: string;
  readonly notAfter: number;
  /** When to ask again, to have it renewed. */
  readonly renewAt: number;
}

export class LocalCa {
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #node: string;
  readonly #work = new KeyedQueue<string>();

  /** `node` is how people tell this installation's root from another one's. */
  constructor(directory: string, node: string, clock: Clock) {
    this.#directory = directory;
    this.#node = node.slice(0, longestNodeName);
    this.#clock = clock;
  }

  async root(): Promise<LocalCaRoot> {
    const { certificate } = await this.#authority();
    const { subject, fingerprint256, validToDate } = new X509Certificate(certificate);
    return {
      pem: certificate,
      subject: subject.split("\n").join(", "),
      fingerprint: fingerprint256,
      notAfter: validToDate.getTime(),
    };
  }

  /** A certificate for a host name, which may begin with `*.`; a new one when there is none or it ends soon. */
  leaf(name: string): Promise<LocalLeaf> {
    return this.#work.run(name, async () => {
      const authority = await this.#authority();
      const path = join(this.#directory, "issued", `${fileName(name)}.pem`);
      const now = this.#clock.now();
      const existing = readLeaf(await readTextIfExists(path), name, authority);
      if (existing !== undefined && existing - renewBeforeMs > now) return describe(path, existing);
      const notAfter = now + leafLifetimeMs;
      const { certificate, key } = await issueLeaf(authority, name, { notBefore: now - dayMs, notAfter });
      await ensureDirectory(join(this.#directory, "issued"));
      await writeFileAtomic(path, `${certificate}${authority.certificate}${key}`, 0o600);
      return describe(path, notAfter);
    });
  }

  /** Renewed long before it ends only by hand: everybody who trusts it would have to trust a new one. */
  #authority(): Promise<Authority> {
    return this.#work.run("", async () => {
      const keyPath = join(this.#directory, "root.key");
      const certificatePath = join(this.#directory, "root.pem");
      const key = await readTextIfExists(keyPath);
      const certificate = await readTextIfExists(certificatePath);
      if (key !== undefined && certificate !== undefined && isRoot(certificate, key, this.#clock.now())) {
        return { key, certificate };
      }
      const now = this.#clock.now();
      const name = `Uni local authority ${this.#node} ${randomBytes(2).toString("hex")}`;
      const made = await issueRoot(name, { notBefore: now - dayMs, notAfter: now + rootLifetimeMs });
      await ensureDirectory(this.#directory);
      await writeFileAtomic(keyPath, made.key, 0o600);
      await writeFileAtomic(certificatePath, made.certificate, 0o644);
      return made;
    });
  }
}

const describe = (path: string, notAfter: number): LocalLeaf => ({
  path,
  notAfter,
  renewAt: notAfter - renewBeforeMs,
});

/** A host name fits a file name but for its star; long ones are told apart by their digest. */
function fileName(name: string): string {
  const readable = name.replace("*", "_");
  return readable.length <= 200 ? readable : createHash("sha256").update(name).digest("hex");
}

function isRoot(certificate: string, key: string, now: number): boolean {
  try {
    const root = new X509Certificate(certificate);
    return root.publicKey.equals(createPublicKey(key)) && root.validToDate.getTime() > now;
  } catch {
    return false;
  }
}

/** The end of a stored certificate in milliseconds; undefined unless it is for the name, whole, and of this root. */
function readLeaf(bundle: string | undefined, name: string, authority: Authority): number | undefined {
  if (bundle === undefined) return undefined;
  try {
    const leaf = new X509Certificate(bundle);
    const key = createPublicKey(bundle.slice(bundle.indexOf("-----BEGIN PRIVATE KEY-----")));
    const root = new X509Certificate(authority.certificate);
    const good =
      leaf.subjectAltName === `DNS:${name}` && leaf.publicKey.equals(key) && leaf.verify(root.publicKey);
    return good ? leaf.validToDate.getTime() : undefined;
  } catch {
    return undefined;
  }
}
