/**
 * Checkpoints of which objects may lie in the store without a manifest: being uploaded since `since`, or, with `since` 0, being deleted. `upload_files`
 * holds what each file of an upload was announced as, and the multipart upload that its bytes go to; see `uploads.ts`.
 */
export const uploadTables = `
CREATE TABLE unsettled (
  run TEXT NOT NULL, attempt INTEGER NOT NULL, step INTEGER NOT NULL, since INTEGER NOT NULL,
  PRIMARY KEY (run, attempt, step)
) STRICT, WITHOUT ROWID;
CREATE INDEX unsettled_since ON unsettled (since);

CREATE TABLE upload_files (
  run TEXT NOT NULL, attempt INTEGER NOT NULL, step INTEGER NOT NULL, path TEXT NOT NULL,
  size INTEGER NOT NULL, sha256 TEXT, parts TEXT, upload_id TEXT,
  PRIMARY KEY (run, attempt, step, path),
  FOREIGN KEY (run, attempt, step) REFERENCES unsettled (run, attempt, step) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
`;
