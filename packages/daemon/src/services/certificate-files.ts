/** Chain and key of each certificate: one PEM file in a directory of its own, for root alone. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { CertificateId } from "@uni/contract/ids";
import { ensureDirectory, readTextIfExists, removeTree, writeFileAtomic } from "../host/files.ts";

export class CertificateFiles {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  path(id: CertificateId): string {
    return join(this.#directory, id, "bundle.pem");
  }

  async write(id: CertificateId, bundle: string): Promise<void> {
    await this.#writeFile(id, this.path(id), bundle);
  }

  /** Certificate and key that answer a validation by TLS; returns where they are. */
  async writeChallenge(id: CertificateId, bundle: string): Promise<string> {
    const path = this.challengePath(id);
    await this.#writeFile(id, path, bundle);
    return path;
  }

  challengePath(id: CertificateId): string {
    return join(this.#directory, id, "challenge.pem");
  }

  removeChallenge(id: CertificateId): Promise<void> {
    return removeTree(this.challengePath(id));
  }

  /** The private key of the certificate that is being issued: the same one until `dropNextKey`. */
  async nextKey(id: CertificateId, make: () => Promise<string>): Promise<string> {
    const path = this.#nextKeyPath(id);
    const stored = await readTextIfExists(path);
    if (stored !== undefined) return stored;
    const key = await make();
    await this.#writeFile(id, path, key);
    return key;
  }

  dropNextKey(id: CertificateId): Promise<void> {
    return removeTree(this.#nextKeyPath(id));
  }

  read(id: CertificateId): Promise<string | undefined> {
    return readTextIfExists(this.path(id));
  }

  remove(id: CertificateId): Promise<void> {
    return removeTree(join(this.#directory, id));
  }

  #nextKeyPath(id: CertificateId): string {
    return join(this.#directory, id, "next.key");
  }

  async #writeFile(id: CertificateId, path: string, text: string): Promise<void> {
    await ensureDirectory(this.#directory);
    await ensureDirectory(join(this.#directory, id));
    await writeFileAtomic(path, text, 0o600);
  }

  /** Removes what belongs to none of these: leftovers of an upload or a removal that was cut short. */
  async sweep(known: ReadonlySet<string>): Promise<void> {
    await ensureDirectory(this.#directory);
    for (const name of await readdir(this.#directory)) {
      if (!known.has(name)) await removeTree(join(this.#directory, name));
    }
  }
}
