export const attemptTables = `
CREATE TABLE attempts (
  run TEXT NOT NULL REFERENCES runs(id) ON DELETE CASCADE,
  number INTEGER NOT NULL,
  token_hash TEXT,
  opened_at INTEGER NOT NULL,
  started_at INTEGER,
  ended_at INTEGER,
  reason TEXT,
  message TEXT,
  resumed_from TEXT,
  resumed_run TEXT,
  resumed_attempt INTEGER,
  resumed_step INTEGER,
  inference_url TEXT,
  ending_reason TEXT,
  ending_message TEXT,
  ending_deadline INTEGER,
  PRIMARY KEY (run, number)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX one_open_attempt ON attempts (run) WHERE ended_at IS NULL;

CREATE TABLE attempt_roles (
  run TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  role TEXT NOT NULL,
  start INTEGER NOT NULL,
  state TEXT NOT NULL,
  exit_code INTEGER,
  pid INTEGER,
  started_at INTEGER NOT NULL,
  exited_at INTEGER,
  term_at INTEGER,
  kill_at INTEGER,
  PRIMARY KEY (run, attempt, role, start),
  FOREIGN KEY (run, attempt) REFERENCES attempts (run, number) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX live_roles ON attempt_roles (run) WHERE state IN ('starting', 'ready');
`;
