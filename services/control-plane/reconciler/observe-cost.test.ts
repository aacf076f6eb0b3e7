import { afterAll, expect, it } from 'vitest';
import { type Database, openDatabase, type Params } from '../../platform/database.ts';
import { createAttemptStore } from '../attempts/attempt.store.ts';
import { createRunStore } from '../runs/run.store.ts';
import { migrations } from '../schema.ts';

const db = openDatabase({ path: ':memory:', migrations });
afterAll(() => db.close());

it('every question of a round is answered by an index, so that a round costs the same however many runs there were', () => {
  const asked: string[] = [];
  const noting: Database = {
    ...db,
    all: <T>(sql: string, params?: Params) => {
      asked.push(sql);
      return db.all<T>(sql, params);
    },
  };
  const runs = createRunStore({ db: noting });
  runs.queued();
  runs.active();
  runs.underWay();
  runs.filesDue();
  runs.filesOpen();
  createAttemptStore({ db: noting }).liveRoles();
  expect(asked).toHaveLength(6);
  const indexes = asked.map((sql) =>
    db
      .all<{ detail: string }>(`EXPLAIN QUERY PLAN ${sql}`)
      .flatMap(
        ({ detail }) =>
          /^(?:SCAN|SEARCH) .*?(?:USING INDEX (\w+).*)?$/.exec(detail)?.[1] ?? (detail.startsWith('USE') ? [] : detail),
      ),
  );
  // By status are only the few runs that wait or are under way; those at rest are all there ever were.
  expect(indexes).toEqual([
    ['runs_by_status'],
    ['runs_by_status'],
    ['runs_by_status'],
    ['runs_files_due'],
    ['runs_files_due'],
    ['live_roles'],
  ]);
});
