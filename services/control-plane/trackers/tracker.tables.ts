/** Runs whose remote trackers do not have everything yet. */
export const trackerTables = `
CREATE TABLE trackers_owed (run TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
`;
