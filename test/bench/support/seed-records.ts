import type { Database } from '../../../services/platform/database.ts';

/**
 * Writes the index of a run's records straight into the database, as if attempt 1 had reported each metric of `names` at each step.
 * @param positions also epoch and samples of each step, which rows need and series do not
 */
export function seedRun(
  db: Database,
  run: string,
  { steps, names, positions }: { steps: number; names: readonly string[]; positions: boolean },
): void {
  const counting = 'WITH RECURSIVE count(step) AS (SELECT 1 UNION ALL SELECT step + 1 FROM count WHERE step < :steps)';
  db.transaction(() => {
    // No file lies behind it; records that come now are its first bytes.
    db.run('INSERT INTO record_files VALUES (:run, 1, :steps, 0, NULL)', { run, steps });
    db.run('INSERT INTO record_lineage VALUES (:run, 1, NULL, 0, NULL, :all)', { run, all: Number.MAX_SAFE_INTEGER });
    if (positions) {
      db.run(
        `INSERT INTO metric_steps (run, step, attempt, n, epoch, samples) ${counting} SELECT :run, step, 1, step, step / 100.0, step * 8 FROM count`,
        { run, steps },
      );
    }
    for (const name of names) {
      db.run('INSERT INTO metric_series (run, name) VALUES (:run, :name)', { run, name });
      db.run(
        `INSERT INTO metric_points (series, step, attempt, n, value) ${counting}
         SELECT (SELECT id FROM metric_series WHERE run = :run AND name = :name), step, 1, step, random() / 9223372036854775808.0 FROM count`,
        { run, name, steps },
      );
    }
  });
}
