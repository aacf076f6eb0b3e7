/**
 * The index over the record files. Every table here can be thrown away and rebuilt from `records/<run>/a<attempt>.jsonl`.
 *
 * - `record_files`: how far each file is indexed (`high` records, `size` bytes) and its last progress.
 * - `record_blocks`: a row for each 256 KiB of a file: first record, byte offset, and a mask of what it holds.
 * - `record_lineage`: what each attempt resumed from; `up_to` is the last record of it that counts (0: none).
 * - `metric_series`, `metric_points`: a row for each value; NaN is NULL.
 * - `metric_steps`: epoch and samples of each metrics record.
 */
export const recordTables = `
CREATE TABLE record_files (
  run TEXT NOT NULL, attempt INTEGER NOT NULL, high INTEGER NOT NULL, size INTEGER NOT NULL, progress TEXT,
  PRIMARY KEY (run, attempt)
) STRICT, WITHOUT ROWID;
CREATE TABLE record_blocks (
  run TEXT NOT NULL, attempt INTEGER NOT NULL, first INTEGER NOT NULL, start INTEGER NOT NULL, mask INTEGER NOT NULL,
  PRIMARY KEY (run, attempt, first)
) STRICT, WITHOUT ROWID;
CREATE TABLE record_lineage (
  run TEXT NOT NULL, attempt INTEGER NOT NULL, parent INTEGER, parent_record INTEGER NOT NULL, parent_step INTEGER,
  up_to INTEGER NOT NULL,
  PRIMARY KEY (run, attempt)
) STRICT, WITHOUT ROWID;
CREATE TABLE metric_series (
  id INTEGER PRIMARY KEY, run TEXT NOT NULL, name TEXT NOT NULL, UNIQUE (run, name)
) STRICT;
CREATE TABLE metric_points (
  series INTEGER NOT NULL, step INTEGER NOT NULL, attempt INTEGER NOT NULL, n INTEGER NOT NULL, value REAL,
  PRIMARY KEY (series, step, attempt, n)
) STRICT, WITHOUT ROWID;
CREATE TABLE metric_steps (
  run TEXT NOT NULL, step INTEGER NOT NULL, attempt INTEGER NOT NULL, n INTEGER NOT NULL, epoch REAL NOT NULL, samples INTEGER NOT NULL,
  PRIMARY KEY (run, step, attempt, n)
) STRICT, WITHOUT ROWID;
CREATE TABLE record_evaluations (
  run TEXT NOT NULL, attempt INTEGER NOT NULL, n INTEGER NOT NULL, step INTEGER NOT NULL, time TEXT NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (run, attempt, n)
) STRICT, WITHOUT ROWID;
CREATE TABLE record_events (
  run TEXT NOT NULL, attempt INTEGER NOT NULL, n INTEGER NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (run, attempt, n)
) STRICT, WITHOUT ROWID;
`;
