/** Accounts, groups and certificates for the tests of this room and of those above it. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { asAccountId, asInstanceId, asServiceGroupId } from "@uni/contract/ids";
import { ManualClock } from "../base/manual-clock.ts";
import { ensureAccount } from "../store/accounts.ts";
import { type Database, openDatabase } from "../store/open.ts";
import type { CertificateMaterial } from "./certificate-chain.ts";
import { type Authority, issueLeaf, issueRoot } from "./issue.ts";
import type { GroupRecord, GroupSpec } from "./record.ts";

export const account = asAccountId("11111111-1111-4111-8111-111111111111");
export const stranger = asAccountId("22222222-2222-4222-8222-222222222222");
export const instance = (digit: number) => asInstanceId(`${digit}0000000-0000-4000-8000-000000000000`);
export const nodeDomain = "uni.localhost";

export const plainSpec: GroupSpec = {
  persistent: true,
  services: [{ port: 443, destinationPort: 8080, handlers: ["http", "tls"] }],
  domains: [{ name: "web", certificate: null }],
  softLimit: 1,
  hardLimit: 65_535,
  autokillMs: 0,
};

export const groupRecord = (spec: Partial<GroupSpec> = {}): GroupRecord => ({
  id: asServiceGroupId("33333333-3333-4333-8333-333333333333"),
  sequence: 1,
  account,
  name: "web",
  createdAt: 0,
  spec: { ...plainSpec, ...spec },
  emptySince: 0,
});

export interface Place {
  readonly directory: string;
  readonly db: Database;
  readonly clock: ManualClock;
  /** The same database, as the next daemon sees it. */
  reopen(): Promise<Database>;
}

export async function makePlace(context: TestContext): Promise<Place> {
  const directory = await mkdtemp(join(tmpdir(), "uni-services-"));
  const clock = new ManualClock();
  const open: Database[] = [];
  const reopen = async () => {
    const db = await openDatabase(join(directory, "uni.db"));
    open.push(db);
    return db;
  };
  context.after(async () => {
    for (const each of open) await each.destroy();
    await rm(directory, { recursive: true });
  });
  const db = await reopen();
  await ensureAccount(db, { id: account, name: "a" }, 1);
  await ensureAccount(db, { id: stranger, name: "b" }, 2);
  return { directory, db, clock, reopen };
}

const dayMs = 86_400_000;

export const makeRoot = (clock: ManualClock, name = "Test root"): Promise<Authority> =>
  issueRoot(name, { notBefore: clock.now() - dayMs, notAfter: clock.now() + 100 * dayMs });

/** A certificate for a name, signed by the root, in force from yesterday for `days`. */
export async function makeMaterial(
  root: Authority,
  name: string,
  clock: ManualClock,
  days = 30,
): Promise<CertificateMaterial> {
  const validity = { notBefore: clock.now() - dayMs, notAfter: clock.now() + days * dayMs };
  const { certificate, key } = await issueLeaf(root, name, validity);
  return { chain: certificate + root.certificate, pkey: key };
}
