/** An index of the objects `pinned.json`, which are the truth; `rebuild` brings it in line with them. */
export const pinTables = `
CREATE TABLE checkpoint_pins (
  run TEXT NOT NULL, attempt INTEGER NOT NULL, step INTEGER NOT NULL,
  PRIMARY KEY (run, attempt, step)
) STRICT, WITHOUT ROWID;
`;
