import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Database, DatabaseOpenError, openDatabase } from './database.ts';

const table = 'CREATE TABLE things (id TEXT PRIMARY KEY, size INTEGER) STRICT;';
let directory: string;
let path: string;
let db: Database;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tandem-db-'));
  path = join(directory, 'test.db');
  db = openDatabase({ path, migrations: [table] });
});
afterEach(() => {
  db.close();
  rmSync(directory, { recursive: true });
});

const insert = (id: string) => db.run('INSERT INTO things VALUES (:id, 1)', { id });
const ids = () => db.all<{ id: string }>('SELECT id FROM things ORDER BY id').map(({ id }) => id);

describe('openDatabase', () => {
  it('keeps what was written across a reopening and applies only new migrations', () => {
    insert('a');
    db.close();
    db = openDatabase({ path, migrations: [table, 'ALTER TABLE things ADD COLUMN color TEXT;'] });
    expect(db.get('SELECT * FROM things')).toEqual({ id: 'a', size: 1, color: null });
  });

  it('runs in WAL mode with full synchronisation and foreign keys', () => {
    expect(db.get('PRAGMA journal_mode')).toEqual({ journal_mode: 'wal' });
    expect(db.get('PRAGMA synchronous')).toEqual({ synchronous: 2 });
    expect(db.get('PRAGMA foreign_keys')).toEqual({ foreign_keys: 1 });
  });

  it('refuses a database of a newer version and names both versions', () => {
    expect(() => openDatabase({ path, migrations: [] })).toThrow(/has version 1, this build knows versions up to 0/);
  });

  it('refuses a file that is not a database, with a remedy', () => {
    const other = join(directory, 'other.db');
    writeFileSync(other, 'this is text, and long enough to look like a header of a page'.repeat(20));
    expect(() => openDatabase({ path: other, migrations: [] })).toThrow(DatabaseOpenError);
    expect(() => openDatabase({ path: other, migrations: [] })).toThrow(/move it and its -wal file aside/);
  });

  it('refuses a file with damaged pages', () => {
    for (let i = 0; i < 2000; i += 1) insert(`thing ${i}`);
    db.close();
    const bytes = readFileSync(path);
    bytes.fill(0xaa, 4096 + 100, 4096 * 4);
    writeFileSync(path, bytes);
    expect(() => openDatabase({ path, migrations: [table] })).toThrow(DatabaseOpenError);
    rmSync(path);
    db = openDatabase({ path, migrations: [table] });
  });

  it('leaves the version alone when a migration fails, so that it runs again', () => {
    expect(() =>
      openDatabase({ path, migrations: [table, 'CREATE TABLE more (id TEXT); CREATE TABLE more (id TEXT);'] }),
    ).toThrow(/already exists/);
    expect(db.get('PRAGMA user_version')).toEqual({ user_version: 1 });
    expect(db.get("SELECT name FROM sqlite_master WHERE name = 'more'")).toBeUndefined();
  });
});

describe('transaction', () => {
  it('rolls everything back when the work throws', () => {
    expect(() =>
      db.transaction(() => {
        insert('a');
        throw new Error('no');
      }),
    ).toThrow('no');
    expect(ids()).toEqual([]);
  });

  it('rolls an inner transaction back alone when the outer one catches its error', () => {
    db.transaction(() => {
      insert('a');
      expect(() =>
        db.transaction(() => {
          insert('b');
          throw new Error('no');
        }),
      ).toThrow('no');
      insert('c');
    });
    expect(ids()).toEqual(['a', 'c']);
  });

  it('refuses asynchronous work, which would leak out of the transaction', () => {
    expect(() => db.transaction(async () => insert('a'))).toThrow(/must be synchronous/);
    expect(ids()).toEqual([]);
  });

  it('runs afterCommit work once the outermost transaction is durable, and never after a rollback', () => {
    const seen: string[] = [];
    db.transaction(() => {
      insert('a');
      db.transaction(() => db.afterCommit(() => seen.push(ids().join())));
      expect(seen).toEqual([]);
      insert('b');
    });
    expect(seen).toEqual(['a,b']);
    expect(() =>
      db.transaction(() => {
        db.afterCommit(() => seen.push('never'));
        throw new Error('no');
      }),
    ).toThrow();
    expect(seen).toEqual(['a,b']);
  });
});

describe('binding', () => {
  it('answers undefined where there is no row', () => {
    expect(db.get('SELECT * FROM things')).toBeUndefined();
  });

  it('refuses a parameter that the statement does not have', () => {
    expect(() => db.run('INSERT INTO things VALUES (:id, 1)', { id: 'a', color: 'red' })).toThrow(/color/);
  });
});
