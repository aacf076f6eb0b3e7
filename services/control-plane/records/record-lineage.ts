import type { Database } from '../../platform/database.ts';
import type { ResumePoint } from './record-types.ts';

interface Edge {
  attempt: number;
  parent: number | null;
  parent_record: number;
}

/**
 * Notes what an attempt starts from, and works out anew which records of the run count. Nothing is erased: records of earlier attempts beyond
 * what was resumed are merely above their attempt's `up_to`, and count again if a later attempt is resumed from them.
 * Runs in the caller's transaction; repeating it for an attempt corrects what was noted.
 */
export function noteResume(db: Database, run: string, point: ResumePoint): void {
  db.run(
    `INSERT INTO record_lineage VALUES (:run, :attempt, :parent, :record, :step, 0)
     ON CONFLICT DO UPDATE SET parent = :parent, parent_record = :record, parent_step = :step`,
    { run, attempt: point.attempt, parent: point.resumedFromAttempt, record: point.record, step: point.step },
  );
  const edges = db.all<Edge>('SELECT attempt, parent, parent_record FROM record_lineage WHERE run = :run', { run });
  const bounds = recordBounds(edges);
  for (const { attempt } of edges) {
    db.run('UPDATE record_lineage SET up_to = :upTo WHERE run = :run AND attempt = :attempt', {
      run,
      attempt,
      upTo: bounds.get(attempt) ?? 0,
    });
  }
}

/** What `noteResume` was told of each attempt, oldest first. */
export function readResumePoints(db: Database, run: string): ResumePoint[] {
  return db.all<ResumePoint & Record<string, unknown>>(
    `SELECT attempt, parent AS resumedFromAttempt, parent_record AS record, parent_step AS step FROM record_lineage
     WHERE run = :run ORDER BY attempt`,
    { run },
  );
}

/** Makes an attempt that nobody announced count, as one that starts from the beginning. */
export function noteAttempt(db: Database, run: string, attempt: number): void {
  const known = db.get('SELECT 1 FROM record_lineage WHERE run = :run AND attempt = :attempt', { run, attempt });
  if (known === undefined) noteResume(db, run, { attempt, resumedFromAttempt: null, record: 0, step: null });
}

/** The last record that counts of each attempt on the lineage of the newest one; attempts off it are absent. */
export function recordBounds(edges: readonly Edge[]): Map<number, number> {
  const byAttempt = new Map(edges.map((edge) => [edge.attempt, edge]));
  const bounds = new Map<number, number>();
  let at: number | null = edges.reduce((newest, { attempt }) => Math.max(newest, attempt), 0);
  let upTo = Number.MAX_SAFE_INTEGER;
  while (at !== null && !bounds.has(at)) {
    bounds.set(at, upTo);
    const edge: Edge | undefined = byAttempt.get(at);
    upTo = edge?.parent_record ?? 0;
    at = edge?.parent ?? null;
  }
  return bounds;
}
