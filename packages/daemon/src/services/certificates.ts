/**
 * Certificates, uploaded and issued by ACME. The file is the truth about chain and key, the store about name and owner: the file is written
 * before the row and removed after it, so a crash leaves at most a file that the next start sweeps away.
 */
import { randomUUID } from "node:crypto";
import { UniError } from "@uni/contract/errors";
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
import type { AcmeProgress, CertificateDetails, CertificateRecord } from "./record.ts";

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
    const acme = new Map((await rows.listAcme(db)).map((row) => [row.certificate, fromAcmeRow(row)]));
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
        acme: acme.get(row.uuid),
      });
    }
    return certificates;
  }

  create({ account, name: given, commonName: wanted, material }: NewCertificate, now: number) {
    return this.#changes.run(async (): Promise<CertificateRecord> => {
      const commonName = readHostName(wanted, true);
      const name = given ?? nameFor(commonName);
      this.catalogue.requireFree(account, name);
      const { details, bundle } = checkCertificate(material, commonName, now);
      const id = asCertificateId(randomUUID());
      await this.files.write(id, bundle);
      const row = { uuid: id, account, name, common_name: commonName, created_at: now };
      const sequence = await rows.insertCertificate(this.#db, row);
      const record = { id, sequence, account, name, createdAt: now, commonName, details, acme: undefined };
      this.catalogue.put(record);
      return record;
    });
  }

  /** One that is to be issued by ACME, at once. */
  request(account: AccountId, commonName: string, now: number): Promise<CertificateRecord> {
    return this.#changes.run(async () => {
      const name = nameFor(commonName);
      this.catalogue.requireFree(account, name);
      const id = asCertificateId(randomUUID());
      const acme = { failures: 0, nextAt: now, reason: undefined, orderUrl: undefined, proof: undefined };
      const row = { uuid: id, account, name, common_name: commonName, created_at: now };
      const sequence = await rows.insertCertificate(this.#db, row, toAcmeRow(id, acme));
      const record = { id, sequence, account, name, createdAt: now, commonName, details: undefined, acme };
      this.catalogue.put(record);
      return record;
    });
  }

  /** How far ACME is; nothing when the certificate was removed meanwhile. */
  saveProgress(id: CertificateId, changes: Partial<AcmeProgress>): Promise<void> {
    return this.#changes.run(async () => {
      const record = this.catalogue.find(id);
      if (record?.acme === undefined) return;
      const acme = { ...record.acme, ...changes };
      await rows.saveAcme(this.#db, toAcmeRow(id, acme));
      this.catalogue.put({ ...record, acme });
    });
  }

  /** What ACME brought; refused like an upload when it is not what was asked for. */
  install(id: CertificateId, material: CertificateMaterial, now: number): Promise<CertificateDetails> {
    return this.#changes.run(async () => {
      const record = this.catalogue.get(id);
      const { details, bundle } = checkCertificate(material, record.commonName, now);
      await this.files.write(id, bundle);
      this.catalogue.put({ ...record, details });
      return details;
    });
  }

  /** New chain and key for the same common name. */
  replace(id: CertificateId, material: CertificateMaterial, now: number): Promise<CertificateRecord> {
    return this.#changes.run(async () => {
      const before = this.catalogue.get(id);
      if (before.acme !== undefined) {
        throw new UniError("wrong_state", `replace certificate '${before.name}': it is renewed by itself`, {
          hint: "Upload one of your own under another name (uni certs add): it is used instead.",
        });
      }
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

const nameFor = (commonName: string): string => withSuffix(commonName.replace(/^\*\./, "wildcard."));

const toAcmeRow = (certificate: CertificateId, progress: AcmeProgress): rows.AcmeRow => ({
  certificate,
  failures: progress.failures,
  next_at: progress.nextAt,
  reason: progress.reason ?? null,
  order_url: progress.orderUrl ?? null,
  proof: progress.proof === undefined ? null : JSON.stringify(progress.proof),
});

const fromAcmeRow = (row: rows.AcmeRow): AcmeProgress => ({
  failures: row.failures,
  nextAt: row.next_at,
  reason: row.reason ?? undefined,
  orderUrl: row.order_url ?? undefined,
  proof: row.proof === null ? undefined : JSON.parse(row.proof),
});
