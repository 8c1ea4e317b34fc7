import { open } from "node:fs/promises";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { type Kysely, SqliteDialect, sql } from "kysely";

/** Kysely's SQLite dialect speaks better-sqlite3; this gives it node:sqlite in that shape. */
export function nodeSqliteDialect(path: string): SqliteDialect {
  const database = new DatabaseSync(path, { timeout: 5000 });
  // WAL: readers never wait for the writer. FULL: a committed intent survives a power cut (sqlite.org/pragma.html).
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;");
  return new SqliteDialect({
    database: {
      close: () => database.close(),
      prepare: (sql) => adaptStatement(database.prepare(sql)),
    },
  });
}

/**
 * What `body` writes is not synced: in the log that a crash of this process leaves whole, and on the disk with the next
 * commit that is synced, as both go into one log in their order.
 */
export function withoutSync<DB, T>(db: Kysely<DB>, body: (on: Kysely<DB>) => Promise<T>): Promise<T> {
  return db.connection().execute(async (on) => {
    await sql`PRAGMA synchronous = NORMAL`.execute(on);
    try {
      return await body(on);
    } finally {
      await sql`PRAGMA synchronous = FULL`.execute(on);
    }
  });
}

/** What was written without a sync survives a power cut from the return on; the thread is free meanwhile. */
export async function syncWritten<DB>(db: Kysely<DB>): Promise<void> {
  const { rows } = await sql<{ file: string }>`PRAGMA database_list`.execute(db);
  const file = rows[0]?.file ?? "";
  if (file === "") return; // In memory.
  const log = await open(`${file}-wal`, "r+");
  try {
    await log.datasync();
  } finally {
    await log.close();
  }
}

type Parameter = null | number | bigint | string | Uint8Array;

function adaptStatement(statement: StatementSync) {
  return {
    reader: statement.columns().length > 0,
    all: (parameters: readonly unknown[]) => statement.all(...(parameters as Parameter[])),
    run: (parameters: readonly unknown[]) => statement.run(...(parameters as Parameter[])),
    iterate: (parameters: readonly unknown[]) =>
      statement.iterate(...(parameters as Parameter[])) as IterableIterator<unknown>,
  };
}
