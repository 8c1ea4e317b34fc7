import { open } from "node:fs/promises";
import { DatabaseSync } from "node:sqlite";
import { UniError } from "@uni/contract/errors";
import { type Kysely, SqliteDialect, sql } from "kysely";

/** Kysely's SQLite dialect speaks better-sqlite3; this gives it node:sqlite in that shape. */
export function nodeSqliteDialect(path: string): SqliteDialect {
  const database = new DatabaseSync(path, { timeout: 5000 });
  try {
    // WAL: readers never wait for the writer. FULL: a committed intent survives a power cut (sqlite.org/pragma.html).
    database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;");
    reserveRoom(database);
  } catch (error) {
    database.close();
    throw isFull(error) ? noSpace(error) : error;
  }
  return new SqliteDialect({
    database: {
      close: () => database.close(),
      prepare: (sql) => adaptStatement(database, sql),
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

/** Of sqlite.org/rescode.html: the low byte says the kind. */
const codeOf = (error: unknown): number => (error as { errcode?: number } | undefined)?.errcode ?? 0;
const kindOf = (error: unknown): number => codeOf(error) & 0xff;
/** SQLITE_FULL, and SQLITE_IOERR_SHMSIZE: the index of the log has no room. */
const isFull = (error: unknown): boolean => kindOf(error) === 13 || codeOf(error) === 4874;
/** SQLITE_CORRUPT, SQLITE_NOTADB. */
export const isDamaged = (error: unknown): boolean => [11, 26].includes(kindOf(error));

/**
 * Where the disk is full, records can still be removed: the file has free pages, and the log has blocks that it writes over
 * once what it holds is in the file. On a disk that is full already there is nothing to reserve.
 */
function reserveRoom(database: DatabaseSync): void {
  const bytes = 1 << 20;
  try {
    database.exec(`BEGIN; CREATE TABLE room (bytes); INSERT INTO room VALUES (zeroblob(${bytes})); DROP TABLE room;
      COMMIT; PRAGMA wal_checkpoint(RESTART);`);
  } catch (error) {
    if (!isFull(error)) throw error;
  }
}

function adaptStatement(database: DatabaseSync, sql: string) {
  // Where the disk was full SQLite has rolled back (sqlite.org/lang_transaction.html): once more is an error that hides the first.
  if (sql === "rollback" && !database.isTransaction) return nothing;
  const statement = database.prepare(sql);
  return {
    reader: statement.columns().length > 0,
    all: (parameters: readonly unknown[]) =>
      withRoom(database, () => statement.all(...(parameters as Parameter[]))),
    run: (parameters: readonly unknown[]) =>
      withRoom(database, () => statement.run(...(parameters as Parameter[]))),
    iterate: (parameters: readonly unknown[]) =>
      statement.iterate(...(parameters as Parameter[])) as IterableIterator<unknown>,
  };
}

const nothing = {
  reader: false,
  all: () => [],
  run: () => ({ changes: 0, lastInsertRowid: 0 }),
  iterate: () => [][Symbol.iterator](),
};

/** A statement that is no part of a transaction is tried again once the log can be written over. */
function withRoom<T>(database: DatabaseSync, write: () => T): T {
  const isAlone = !database.isTransaction;
  try {
    return write();
  } catch (error) {
    if (!isFull(error)) throw error;
    if (reuseLog(database) && isAlone) return withRoomLeft(write);
    throw noSpace(error);
  }
}

function withRoomLeft<T>(write: () => T): T {
  try {
    return write();
  } catch (error) {
    throw isFull(error) ? noSpace(error) : error;
  }
}

/** False where that takes room as well, or a transaction still stands. */
function reuseLog(database: DatabaseSync): boolean {
  try {
    database.exec("PRAGMA wal_checkpoint(RESTART)");
    return true;
  } catch {
    return false;
  }
}

function noSpace(cause: unknown): UniError {
  return new UniError("no_space", "write to the database: the disk of the data directory is full", {
    hint: "Remove instances or images: a removal that fails for this reason succeeds the next time.",
    cause,
  });
}
