export const runTables = `
CREATE TABLE runs (
  id TEXT PRIMARY KEY,
  name TEXT,
  method TEXT NOT NULL,
  status TEXT NOT NULL,
  reason TEXT NOT NULL,
  message TEXT NOT NULL,
  priority INTEGER NOT NULL,
  labels TEXT NOT NULL,
  spec TEXT NOT NULL,
  warnings TEXT NOT NULL,
  profile TEXT NOT NULL,
  output_dir TEXT NOT NULL,
  tree TEXT NOT NULL UNIQUE,
  model_directory TEXT NOT NULL,
  base_adapter_directory TEXT,
  model_run TEXT,
  train_data TEXT,
  val_data TEXT,
  parent_run TEXT,
  parent_attempt INTEGER,
  parent_step INTEGER,
  start_from TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  queued_at INTEGER NOT NULL,
  started_at INTEGER,
  ended_at INTEGER,
  stop TEXT CHECK (stop IN ('pause', 'cancel')),
  stop_deadline INTEGER,
  restarts INTEGER NOT NULL DEFAULT 0,
  error_restarts INTEGER NOT NULL DEFAULT 0,
  restart_at INTEGER,
  files_due INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX runs_files_due ON runs (id) WHERE files_due = 1;
CREATE INDEX runs_by_age ON runs (created_at DESC, id DESC);
CREATE INDEX runs_by_status ON runs (status, created_at DESC, id DESC);
CREATE INDEX runs_by_status_and_method ON runs (status, method, created_at DESC, id DESC);
CREATE INDEX runs_by_method ON runs (method, created_at DESC, id DESC);
CREATE INDEX runs_by_parent ON runs (parent_run) WHERE parent_run IS NOT NULL;
CREATE INDEX runs_by_model ON runs (model_run) WHERE model_run IS NOT NULL;

CREATE TABLE run_labels (
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  run TEXT NOT NULL REFERENCES runs(id) ON DELETE CASCADE,
  PRIMARY KEY (key, value, created_at DESC, run DESC)
) STRICT, WITHOUT ROWID;
CREATE INDEX labels_by_run ON run_labels (run);
`;

/** Models that are fetched: where each comes from, and whether the run waits for it. */
export const runModelTables = `
ALTER TABLE runs ADD COLUMN model_origin TEXT;
ALTER TABLE runs ADD COLUMN model_due INTEGER NOT NULL DEFAULT 0;
CREATE INDEX runs_model_due ON runs (id) WHERE model_due = 1;
`;

/** Files of the user's that score completions, as a JSON list. */
export const rewardFileColumn = `ALTER TABLE runs ADD COLUMN reward_files TEXT NOT NULL DEFAULT '[]';`;
