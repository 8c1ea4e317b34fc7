/** Chain and key of each uploaded certificate: one PEM file in a directory of its own, for root alone. */
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
    await ensureDirectory(this.#directory);
    await ensureDirectory(join(this.#directory, id));
    await writeFileAtomic(this.path(id), bundle, 0o600);
  }

  read(id: CertificateId): Promise<string | undefined> {
    return readTextIfExists(this.path(id));
  }

  remove(id: CertificateId): Promise<void> {
    return removeTree(join(this.#directory, id));
  }

  /** Removes what belongs to none of these: leftovers of an upload or a removal that was cut short. */
  async sweep(known: ReadonlySet<string>): Promise<void> {
    await ensureDirectory(this.#directory);
    for (const name of await readdir(this.#directory)) {
      if (!known.has(name)) await removeTree(join(this.#directory, name));
    }
  }
}
