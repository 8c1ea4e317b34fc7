/**
 * The configurations on disk: each in a directory of its own, and `current`, a link that is moved in one step. A
 * configuration holds copies of its certificates, so that it is whole whatever is removed elsewhere.
 */
import { createHash } from "node:crypto";
import { readdir, readFile, readlink, rename, rm, symlink } from "node:fs/promises";
import { basename, join } from "node:path";
import { ensureDirectory, removeTree, writeFileAtomic } from "../host/files.ts";
import type { EdgePlan } from "./port.ts";

export class Configurations {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  get current(): string {
    return join(this.#directory, "current");
  }

  /** A new one, not used yet. */
  async write(files: ReadonlyMap<string, string>, certificates: CertificateCopies): Promise<string> {
    const number = Math.max(0, ...(await this.#numbers())) + 1;
    const directory = join(this.#directory, `configuration-${number}`);
    await ensureDirectory(directory);
    for (const [name, text] of files) await writeFileAtomic(join(directory, name), text);
    for (const [name, pem] of certificates.files) await writeFileAtomic(join(directory, name), pem);
    return directory;
  }

  /** Makes it the current one. Those before it stay until `sweep`. */
  async use(directory: string): Promise<void> {
    const aside = join(this.#directory, "next");
    await rm(aside, { force: true });
    await symlink(basename(directory), aside);
    await rename(aside, this.current);
  }

  /** Changes files of the current one, which HAProxy has been told at run time or is told next. */
  async amend(files: ReadonlyMap<string, string>): Promise<void> {
    for (const [name, text] of files) await writeFileAtomic(join(this.current, name), text);
  }

  async sweep(): Promise<void> {
    const used = await readlink(this.current).catch(() => "");
    for (const number of await this.#numbers()) {
      const name = `configuration-${number}`;
      if (name !== used) await removeTree(join(this.#directory, name));
    }
  }

  async #numbers(): Promise<number[]> {
    const names = await readdir(this.#directory);
    return names.flatMap((name) => {
      const number = /^configuration-(\d+)$/.exec(name)?.[1];
      return number === undefined ? [] : [Number(number)];
    });
  }
}

export interface CertificateCopies {
  /** File names to PEM texts. */
  readonly files: ReadonlyMap<string, string>;
  /** The file name for a path of the plan. Named by path: a renewed certificate takes the place of the one before. */
  readonly fileOf: (path: string) => string;
}

export async function copyCertificates(plan: EdgePlan): Promise<CertificateCopies> {
  const paths = new Set([
    plan.defaultCertificate,
    ...plan.groups.flatMap(({ domains }) => domains.map(({ certificate }) => certificate)),
    ...(plan.challenges ?? []).flatMap((each) => (each.kind === "tls" ? [each.certificate] : [])),
  ]);
  const files = new Map<string, string>();
  const names = new Map<string, string>();
  for (const path of paths) {
    const pem = await readFile(path, "utf8");
    const name = `${digestOf(path).slice(0, 32)}.pem`;
    files.set(name, pem);
    names.set(path, name);
  }
  return { files, fileOf: (path) => names.get(path) ?? "" };
}

export const digestOf = (text: string): string => createHash("sha256").update(text).digest("hex");
