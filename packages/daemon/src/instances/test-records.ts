/** Records and a registry over a store in memory, for the tests of this room and of those above it. */
import { type AccountId, asAccountId, asInstanceId, type Digest, type InstanceId } from "@uni/contract/ids";
import type { CreateInstanceRequest } from "@uni/contract/resources/instance";
import type { RomPart } from "@uni/contract/resources/instance-parts";
import { ensureAccount } from "../store/accounts.ts";
import { type Database, openDatabase } from "../store/open.ts";
import { makeSpec } from "./create-spec.ts";
import { type InstanceRecord, type InstanceSpec, type InstanceStatus, neverStarted } from "./record.ts";
import { Registry } from "./registry.ts";
import type { Rom } from "./roms.ts";

export const account = asAccountId("11111111-1111-4111-8111-111111111111");
export const otherAccount = asAccountId("22222222-2222-4222-8222-222222222222");
export const digestOf = (digit: string): Digest => `sha256:${digit.repeat(64)}` as Digest;
export const image = {
  reference: "hello:latest",
  image: { digest: digestOf("0"), config: { entrypoint: [], cmd: ["serve"] } },
};

export const idOf = (number: number): InstanceId =>
  asInstanceId(`00000000-0000-4000-8000-${number.toString(16).padStart(12, "0")}`);

export interface RecordChanges {
  readonly name?: string;
  readonly account?: InstanceRecord["account"];
  readonly createdAt?: number;
  readonly request?: CreateInstanceRequest;
  readonly spec?: Partial<InstanceSpec>;
  readonly status?: Partial<InstanceStatus>;
}

export function recordOf(number: number, changes: RecordChanges = {}): InstanceRecord {
  return {
    id: idOf(number),
    sequence: number,
    account: changes.account ?? account,
    name: changes.name ?? `web-${number}`,
    address: `10.0.${number >> 8}.${number & 255}`,
    createdAt: changes.createdAt ?? number,
    spec: { ...makeSpec(changes.request ?? {}, image), ...changes.spec },
    status: { ...neverStarted, ...changes.status },
  };
}

export async function withRegistry(
  records: readonly InstanceRecord[],
  body: (registry: Registry, db: Database) => Promise<void>,
): Promise<void> {
  const db = await openDatabase(":memory:");
  try {
    for (const [id, name] of [
      [account, "admin"],
      [otherAccount, "other"],
    ] as const) {
      await ensureAccount(db, { id, name }, 1);
    }
    const registry = await Registry.open(db);
    await registry.insert(records);
    await body(registry, db);
  } finally {
    await db.destroy();
  }
}

/** A ROM of files, mounted nowhere. */
export const romOf = (name: string, content = name): Rom => ({
  ...{ name, at: null, content: `files:${content}`, source: { files: [] } },
});

/** As a lifecycle's, without any files. */
export const resolveNothing = async (_account: AccountId, parts: readonly RomPart[]) => ({
  roms: parts.map(({ name }) => romOf(name)),
  release() {},
});
