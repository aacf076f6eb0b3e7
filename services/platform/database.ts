import { DatabaseSync } from '@photostructure/sqlite';
import { storageFault } from './storage-error.ts';

type Connection = InstanceType<typeof DatabaseSync>;

const FULLY_CHECKED_BYTES = 64 * 1024 * 1024;

export type BindValue = string | number | bigint | null | Uint8Array;
/** Named parameters: `{ id: 'x' }` binds `:id`. */
export type Params = Readonly<Record<string, BindValue>>;

/** One SQLite file. Every call is synchronous, so what is written inside one `transaction` is written together or not at all. */
export interface Database {
  run(sql: string, params?: Params): { changes: number };
  get<T>(sql: string, params?: Params): T | undefined;
  all<T>(sql: string, params?: Params): T[];
  /** Runs `work` in a transaction; inside another one, as a savepoint of it. `work` is synchronous: a promise is refused. */
  transaction<T>(work: () => T): T;
  /** Runs `work` once the current transaction is committed, never if it is rolled back; at once outside a transaction. */
  afterCommit(work: () => void): void;
  close(): void;
}

/** The file cannot be used; the message says why and what to do. */
export class DatabaseOpenError extends Error {
  override readonly name = 'DatabaseOpenError';
}

/**
 * Opens `path` in WAL mode with `synchronous=FULL` and brings it up to date: `PRAGMA user_version` counts the `migrations` that are applied.
 * @throws DatabaseOpenError when the file is not a database, is damaged, or was written by a newer version.
 */
export function openDatabase({ path, migrations }: { path: string; migrations: readonly string[] }): Database {
  const connection = connect(path);
  try {
    migrate(connection, path, migrations);
  } catch (error) {
    connection.close();
    throw error;
  }
  return wrap(connection);
}

function connect(path: string): Connection {
  let connection: Connection | undefined;
  try {
    connection = new DatabaseSync(path);
    connection.exec(
      'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 2000',
    );
    checkPages(connection);
    return connection;
  } catch (error) {
    connection?.close();
    const fault = storageFault(error);
    if (fault !== null)
      throw new DatabaseOpenError(`the database ${path} cannot be used: ${fault.message}`, { cause: error });
    throw new DatabaseOpenError(
      `the database ${path} cannot be read (${(error as Error).message}): move it and its -wal file aside or restore a copy; ` +
        'records, checkpoints and run trees are kept in files of their own',
      { cause: error },
    );
  }
}

/** A full check reads every page, so large files get the header alone: a start must not take minutes. */
function checkPages(connection: Connection): void {
  const pages = connection
    .prepare('SELECT page_count * page_size AS bytes FROM pragma_page_count, pragma_page_size')
    .get();
  if ((pages as { bytes: number }).bytes > FULLY_CHECKED_BYTES) return;
  const check = connection.prepare('PRAGMA quick_check(1)').get() as { quick_check: string };
  if (check.quick_check !== 'ok') throw new Error(check.quick_check);
}

function migrate(connection: Connection, path: string, migrations: readonly string[]): void {
  const { user_version: version } = connection.prepare('PRAGMA user_version').get() as { user_version: number };
  if (version > migrations.length) {
    throw new DatabaseOpenError(
      `the database ${path} has version ${version}, this build knows versions up to ${migrations.length}: ` +
        'start the newer build of Tandem that wrote it, or choose another TANDEM_HOME',
    );
  }
  for (const [index, migration] of migrations.entries()) {
    if (index < version) continue;
    connection.exec('BEGIN IMMEDIATE');
    try {
      connection.exec(migration);
      connection.exec(`PRAGMA user_version = ${index + 1}`);
      connection.exec('COMMIT');
    } catch (error) {
      // SQLite may have rolled back by itself, as it does on a full disk.
      if (connection.isTransaction) connection.exec('ROLLBACK');
      const remedy =
        storageFault(error)?.message ?? 'restore a copy that was made before, and start the older build of Tandem';
      throw new DatabaseOpenError(
        `the database ${path} could not be brought to version ${index + 1} (${(error as Error).message}): ${remedy}`,
        { cause: error },
      );
    }
  }
}

type Statement = ReturnType<Connection['prepare']>;

function wrap(connection: Connection): Database {
  const statements = new Map<string, Statement>();
  let pending: (() => void)[] = [];
  let depth = 0;

  const prepared = (sql: string): Statement => {
    let statement = statements.get(sql);
    if (statement === undefined) {
      statement = connection.prepare(sql);
      statements.set(sql, statement);
    }
    return statement;
  };

  const transaction = <T>(work: () => T): T => {
    const level = depth;
    const noted = pending.length;
    connection.exec(level === 0 ? 'BEGIN IMMEDIATE' : `SAVEPOINT level_${level}`);
    depth += 1;
    let result: T;
    try {
      result = work();
      if (result instanceof Promise) throw new TypeError('the work of a transaction must be synchronous');
      connection.exec(level === 0 ? 'COMMIT' : `RELEASE level_${level}`);
    } catch (error) {
      pending = pending.slice(0, noted);
      // A failed COMMIT may have rolled back by itself.
      if (connection.isTransaction) {
        connection.exec(level === 0 ? 'ROLLBACK' : `ROLLBACK TO level_${level}; RELEASE level_${level}`);
      }
      throw error;
    } finally {
      depth = level;
    }
    if (level === 0) {
      const due = pending;
      pending = [];
      for (const work of due) work();
    }
    return result;
  };

  return {
    run: (sql, params) => ({ changes: (params ? prepared(sql).run(params) : prepared(sql).run()).changes }),
    get: <T>(sql: string, params?: Params) =>
      ((params ? prepared(sql).get(params) : prepared(sql).get()) as T | null | undefined) ?? undefined,
    all: <T>(sql: string, params?: Params) => (params ? prepared(sql).all(params) : prepared(sql).all()) as T[],
    transaction,
    afterCommit: (work) => {
      if (depth === 0) work();
      else pending.push(work);
    },
    close: () => {
      statements.clear();
      // Statements that are not collected yet keep SQLite from doing this by itself.
      connection.exec('PRAGMA wal_checkpoint(TRUNCATE)');
      connection.close();
    },
  };
}
