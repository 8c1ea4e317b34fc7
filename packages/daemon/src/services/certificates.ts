/**
 * Uploaded certificates. The file is the truth about chain and key, the store about name and owner: the file is written
 * before the row and removed after it, so a crash leaves at most a file that the next start sweeps away.
 */
import { randomUUID } from "node:crypto";
import { type AccountId, asAccountId, asCertificateId, type CertificateId } from "@uni/contract/ids";
import { Catalogue } from "../base/catalogue.ts";
import { TaskQueue } from "../base/task-queue.ts";
import * as rows from "../store/certificates.ts";
import { listCursors } from "../store/cursors.ts";
import type { Database } from "../store/open.ts";
import { type CertificateMaterial, checkCertificate, readBundle } from "./certificate-chain.ts";
import type { CertificateFiles } from "./certificate-files.ts";
import { readHostName } from "./domains.ts";
import { withSuffix } from "./names.ts";
import type { CertificateRecord } from "./record.ts";

export interface NewCertificate {
  readonly account: AccountId;
  readonly name: string | undefined;
  readonly commonName: string;
  readonly material: CertificateMaterial;
}

export class Certificates {
  readonly catalogue: Catalogue<CertificateRecord>;
  readonly files: CertificateFiles;
  readonly #db: Database;
  readonly #changes = new TaskQueue();

  private constructor(db: Database, files: CertificateFiles, deleted: ReadonlyMap<string, number>) {
    this.#db = db;
    this.files = files;
    this.catalogue = new Catalogue("certificate", deleted);
  }

  static async open(db: Database, files: CertificateFiles): Promise<Certificates> {
    const certificates = new Certificates(db, files, await listCursors(db, "deleted_service_resources"));
    const found = await rows.listCertificates(db);
    await files.sweep(new Set(found.map(({ uuid }) => uuid)));
    for (const row of found) {
      const bundle = await files.read(asCertificateId(row.uuid));
      certificates.catalogue.put({
        id: asCertificateId(row.uuid),
        sequence: row.sequence,
        account: asAccountId(row.account),
        name: row.name,
        createdAt: row.created_at,
        commonName: row.common_name,
        details: bundle === undefined ? undefined : readBundle(bundle),
      });
    }
    return certificates;
  }

  create({ account, name: given, commonName: wanted, material }: NewCertificate, now: number) {
    return this.#changes.run(async (): Promise<CertificateRecord> => {
      const commonName = readHostName(wanted, true);
      const name = given ?? withSuffix(commonName.replace(/^\*\./, "wildcard."));
      this.catalogue.requireFree(account, name);
      const { details, bundle } = checkCertificate(material, commonName, now);
      const id = asCertificateId(randomUUID());
      await this.files.write(id, bundle);
      const row = { uuid: id, account, name, common_name: commonName, created_at: now };
      const sequence = await rows.insertCertificate(this.#db, row);
      const record = { id, sequence, account, name, createdAt: now, commonName, details };
      this.catalogue.put(record);
      return record;
    });
  }

  /** New chain and key for the same common name. */
  replace(id: CertificateId, material: CertificateMaterial, now: number): Promise<CertificateRecord> {
    return this.#changes.run(async () => {
      const before = this.catalogue.get(id);
      const { details, bundle } = checkCertificate(material, before.commonName, now);
      await this.files.write(id, bundle);
      const after = { ...before, details };
      this.catalogue.put(after);
      return after;
    });
  }

  remove(id: CertificateId, now: number): Promise<void> {
    return this.#changes.run(async () => {
      await rows.deleteCertificate(this.#db, id, now);
      this.catalogue.drop(id);
      await this.files.remove(id);
    });
  }
}
