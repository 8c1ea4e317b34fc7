import type { Digest } from "@uni/contract/ids";
import type { Database } from "./open.ts";

export interface PulledReference {
  readonly reference: string;
  readonly digest: Digest;
  readonly usedAt: number;
}

/** Fits the port of the images room. */
export function createPulledReferences(db: Database) {
  return {
    list: () => listPulled(db),
    note: (rows: readonly PulledReference[]) => notePulled(db, rows),
    forget: (references: readonly string[]) => forgetPulled(db, references),
  };
}

async function listPulled(db: Database): Promise<PulledReference[]> {
  const rows = await db.selectFrom("pulled_references").selectAll().execute();
  return rows.map(({ reference, digest, used_at: usedAt }) => ({
    reference,
    digest: digest as Digest,
    usedAt,
  }));
}

async function notePulled(db: Database, rows: readonly PulledReference[]): Promise<void> {
  await db.transaction().execute(async (tx) => {
    for (const { reference, digest, usedAt: used_at } of rows) {
      await tx
        .insertInto("pulled_references")
        .values({ reference, digest, used_at })
        .onConflict((conflict) => conflict.column("reference").doUpdateSet({ digest, used_at }))
        .execute();
    }
  });
}

async function forgetPulled(db: Database, references: readonly string[]): Promise<void> {
  for (const reference of references) {
    await db.deleteFrom("pulled_references").where("reference", "=", reference).execute();
  }
}
