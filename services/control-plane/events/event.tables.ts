export const eventTables = `
CREATE TABLE events (
  run TEXT NOT NULL REFERENCES runs(id) ON DELETE CASCADE,
  id INTEGER NOT NULL,
  time INTEGER NOT NULL,
  name TEXT NOT NULL,
  actor TEXT NOT NULL,
  attempt INTEGER,
  status TEXT,
  reason TEXT,
  message TEXT NOT NULL,
  data TEXT NOT NULL,
  PRIMARY KEY (run, id)
) STRICT, WITHOUT ROWID;
`;
