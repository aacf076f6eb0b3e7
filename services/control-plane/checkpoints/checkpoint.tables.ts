/** An index of the manifests in the object store, which are the truth; `rebuild` brings it in line with them. */
export const checkpointTables = `
CREATE TABLE checkpoints (
  run TEXT NOT NULL, attempt INTEGER NOT NULL, step INTEGER NOT NULL, manifest TEXT NOT NULL,
  PRIMARY KEY (run, attempt, step)
) STRICT, WITHOUT ROWID;
`;
