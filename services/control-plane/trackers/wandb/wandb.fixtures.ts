import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TrainerRecord } from '../../../contracts/record.ts';
import type { RunStatus } from '../../../contracts/run.ts';
import type { RunSpecInput } from '../../../contracts/run-spec.ts';
import { createRedactor, type Redactor } from '../../../platform/redaction.ts';
import { evaluationRecord, eventRecord, logRecord, metricsRecord } from '../../records/record.fixtures.ts';
import type { RecordService } from '../../records/record.service.ts';
import type { ResumePoint } from '../../records/record-types.ts';
import { RUN, specOf } from '../../sinks/sink.fixtures.ts';
import type { Tracker } from '../tracker.ts';
import type { HeldByWandb, RunUpsert, StreamRequest, WandbClient, WandbPlace } from './wandb.client.ts';
import { createWandbTracker } from './wandb.tracker.ts';
import type { WandbSettings } from './wandb-settings.ts';

/** For tests: a W&B in memory that puts lines at their offsets. */
export interface MemoryWandb extends WandbClient {
  runs: Map<string, { upserts: RunUpsert[]; history: string[]; summary: string; exitcodes: number[] }>;
  calls: string[];
  /** Called before and after each call; throwing is what the caller sees. */
  trouble: (call: string, when: 'before' | 'after') => void;
  stopped: boolean;
  rows(id: string): Record<string, unknown>[];
}

export function createMemoryWandb(): MemoryWandb {
  const runs: MemoryWandb['runs'] = new Map();
  const run = (id: string) => {
    const held = runs.get(id);
    if (held === undefined) throw new Error(`there is no run ${id}`);
    return held;
  };
  const call = async <T>(name: string, act: () => T): Promise<T> => {
    wandb.calls.push(name);
    wandb.trouble(name, 'before');
    const answer = act();
    wandb.trouble(name, 'after');
    return answer;
  };
  const wandb: MemoryWandb = {
    ...{ runs, calls: [], trouble: () => {}, stopped: false },
    rows: (id) => run(id).history.map((line) => JSON.parse(line) as Record<string, unknown>),
    viewer: () => call('viewer', () => ({ username: 'tester', entity: 'tester' })),
    held: ({ id }) =>
      call('held', (): HeldByWandb | null => {
        const held = runs.get(id);
        if (held === undefined) return null;
        const last = held.history.at(-1);
        const lastRow = last === undefined ? null : (JSON.parse(last) as Record<string, unknown>);
        return {
          historyLines: held.history.length,
          lastRow,
          summary: JSON.parse(held.summary) as Record<string, unknown>,
        };
      }),
    upsert: (wanted) =>
      call('upsert', () => {
        const held = runs.get(wanted.id) ?? { upserts: [], history: [], summary: '{}', exitcodes: [] };
        held.upserts.push(wanted);
        runs.set(wanted.id, held);
        return { id: wanted.id, project: wanted.project, entity: wanted.entity ?? 'tester' };
      }),
    stream: ({ id }: WandbPlace, { history, summary, exitcode }: StreamRequest) =>
      call(exitcode === undefined ? 'stream' : 'end', () => {
        const held = run(id);
        if (history !== undefined) {
          if (history.offset > held.history.length) throw new Error(`offset ${history.offset} leaves a gap`);
          held.history.splice(history.offset, history.content.length, ...history.content);
        }
        if (summary !== undefined) held.summary = summary;
        if (exitcode !== undefined) held.exitcodes.push(exitcode);
        return { stopped: wandb.stopped };
      }),
  };
  return wandb;
}

/** Records of one run in memory, and a directory for its tree. */
export interface TrackedRun {
  tree: string;
  records: Pick<RecordService, 'since' | 'resumePoints' | 'files'>;
  add(attempt: number, records: readonly TrainerRecord[]): void;
  resume(point: ResumePoint): void;
  close(): void;
}

export function openTrackedRun(): TrackedRun {
  const tree = mkdtempSync(join(tmpdir(), 'tandem-wandb-'));
  const stored: { attempt: number; record: TrainerRecord }[] = [];
  const points: ResumePoint[] = [];
  const last = () => ({ attempt: stored.at(-1)?.attempt ?? 0, n: stored.at(-1)?.record.n ?? 0 });
  return {
    tree,
    records: {
      since: async (_run, { attempt, n }, { filter = {}, limit = 1000 } = {}) => {
        const entries = stored.filter(
          (each) =>
            (each.attempt > attempt || (each.attempt === attempt && each.record.n > n)) &&
            (filter.attempt ?? each.attempt) === each.attempt &&
            (filter.kinds ?? [each.record.kind]).includes(each.record.kind),
        );
        const page = entries.slice(0, limit);
        const more = entries.length > limit;
        const end = page.at(-1);
        return { entries: page, more, cursor: more && end ? { attempt: end.attempt, n: end.record.n } : last() };
      },
      resumePoints: () => points,
      files: () =>
        [...new Set(stored.map(({ attempt }) => attempt))].map((attempt) => {
          const high = stored.filter((each) => each.attempt === attempt).length;
          return { attempt, path: '', high, size: 0 };
        }),
    },
    add: (attempt, records) => void stored.push(...records.map((record) => ({ attempt, record }))),
    resume: (point) => void points.push(point),
    close: () => rmSync(tree, { recursive: true, force: true }),
  };
}

export const wandbSettings: WandbSettings = {
  apiKey: 'k'.repeat(40),
  baseUrl: 'https://api.wandb.ai',
  ...{ project: 'cua-grpo', entity: null, runId: null, directory: null },
};

export interface TrackerChange {
  monitoring?: RunSpecInput['monitoring'];
  settings?: Partial<WandbSettings>;
  client?: WandbClient;
  status?: () => RunStatus;
  onStop?: (message: string) => void;
  now?: () => number;
  claims?: Map<string, string>;
  spec?: Omit<RunSpecInput, 'model'>;
  redactor?: Redactor;
}

/** A tracker made anew, as after the start of a control plane. */
export function openTracker({ tree, records }: TrackedRun, client: WandbClient, change: TrackerChange = {}): Tracker {
  const {
    monitoring = {},
    settings = {},
    status = () => 'running' as const,
    onStop = () => {},
    now = () => 0,
    claims = new Map<string, string>(),
    redactor = createRedactor({}),
  } = change;
  const spec = specOf({ name: 'addition', ...change.spec, monitoring: { enable_wandb: true, ...monitoring } });
  const levels = () => ({ training: 'INFO', rollout: 'INFO', eval: 'INFO', performance: 'INFO' }) as const;
  return createWandbTracker({
    ...{
      target: { run: RUN, parent: null, spec, tree, outputDir: 'outputs/run', levels, status },
      settings: { ...wandbSettings, ...settings },
      client,
    },
    ...{ records, redactor, onStop, now, steady: now, claims, wait: async () => {} },
    modelConfig: async () => ({ model_type: 'llama', hidden_size: 32 }),
  });
}

/** Three steps, one of them evaluated and the best, with lines of logs between them. */
export const firstAttempt: readonly TrainerRecord[] = [
  { ...logRecord(1, 'Model loaded'), fields: { total_parameters: 1000, trainable_parameters: 10 } } as TrainerRecord,
  metricsRecord(2, 1, { 'train/loss': 0.5 }),
  logRecord(3),
  metricsRecord(4, 2, { 'train/loss': 0.4 }),
  evaluationRecord(5, 2),
  metricsRecord(6, 2, { 'eval/accuracy': 0.5, 'eval/best_accuracy': 0.5 }),
  eventRecord(7, 'best_updated', { data: { step: 2, metric: 'accuracy', value: 0.5 } }),
  metricsRecord(8, 3, { 'train/loss': 0.3 }),
];

export const never = new AbortController().signal;
