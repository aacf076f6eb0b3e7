import type { WaitingRunView } from '../../contracts/queue.ts';
import type { Run, RunStatus, RunSummary } from '../../contracts/run.ts';
import type { LogLevel } from '../../contracts/run-spec/logging.ts';
import type { Method, RunSpec } from '../../contracts/run-spec.ts';
import { serialByKey } from '../../platform/serial-by-key.ts';
import { ProblemError } from '../api/problem-error.ts';
import { deleteRun } from './delete-run.ts';
import { checkEvaluation, type EvaluationRequest } from './evaluation-of.ts';
import { type ResumeRequest, resumeRun } from './resume-run.ts';
import { viewRun, viewSummary } from './run.view.ts';
import { decodeCursor, encodeCursor, parseLabel } from './run-page.ts';
import type { RunRow } from './run-row.ts';
import type { Remember, RunServiceOptions } from './run-service-options.ts';
import { stopRun } from './stop-run.ts';
import { checkSubmission, type DryRun, planSubmission, showPlan, submitRun } from './submit-run.ts';

export interface RunPageQuery {
  status?: RunStatus | undefined;
  method?: Method | undefined;
  label?: string | undefined;
  limit: number;
  cursor?: string | undefined;
}

export interface RunService {
  dryRun(written: unknown): Promise<DryRun>;
  /** 201 with a new run, or 200 with the run of the same `output_dir` that is continued. */
  submit(written: unknown, remember: Remember): Promise<{ status: 200 | 201; body: Run }>;
  planEvaluation(request: EvaluationRequest): Promise<DryRun>;
  /** 201 with a run that evaluates. */
  evaluate(request: EvaluationRequest, remember: Remember): Promise<{ status: 200 | 201; body: Run }>;
  /** 200 with the run, or 201 with the fork. */
  resume(id: string, request: ResumeRequest, remember: Remember): Promise<{ status: 200 | 201; body: Run }>;
  pause(id: string): Run;
  cancel(id: string): Run;
  remove(id: string): Promise<void>;
  get(id: string): Run;
  list(query: RunPageQuery): { runs: RunSummary[]; next: string | null };
  setLogging(id: string, change: LoggingChange): Run;
}

export type LoggingChange = {
  [K in 'rollout_log_level' | 'training_log_level' | 'eval_log_level' | 'performance_log_level']?: LogLevel | undefined;
};

/** What users do with runs. Everything is written down here; the reconciler does it. */
export function createRunService(options: RunServiceOptions): RunService {
  const { runs, queue, changed } = options;
  // Two submissions at once must not both find the same tree free.
  const serial = serialByKey();

  const require = (id: string): RunRow => {
    const run = runs.get(id);
    if (run === undefined)
      throw new ProblemError('not-found', `There is no run ${id}; GET /runs lists those there are.`);
    return run;
  };
  const view = (id: string): Run => viewRun(require(id), { ...options, waitOf: (run) => queue.waits().get(run) });

  return {
    dryRun: async (written) =>
      showPlan(await planSubmission(await checkSubmission(written, options), options), options),
    planEvaluation: async (request) =>
      showPlan(await planSubmission(await checkEvaluation(request, options), options), options),
    evaluate: async (request, remember) => {
      const checked = await checkEvaluation(request, options);
      const reply = await serial('tree', () => submitRun(checked, options, { view, remember }));
      changed();
      return reply;
    },
    submit: async (written, remember) => {
      // A hub that is slow to answer keeps nobody else waiting.
      const checked = await checkSubmission(written, options);
      const reply = await serial('tree', () => submitRun(checked, options, { view, remember }));
      changed();
      return reply;
    },
    resume: async (id, request, remember) => {
      const reply = await serial('tree', () => resumeRun(require(id), request, options, { view, remember }));
      changed();
      return reply;
    },
    pause: (id) => {
      stopRun(require(id), 'pause', options);
      changed();
      return view(id);
    },
    cancel: (id) => {
      stopRun(require(id), 'cancel', options);
      changed();
      return view(id);
    },
    remove: (id) => serial('tree', () => deleteRun(require(id), options)),
    get: view,
    list: ({ status, method, label, limit, cursor }) => {
      const rows = runs.list({
        status,
        method,
        label: label === undefined ? undefined : parseLabel(label),
        before: cursor === undefined ? undefined : decodeCursor(cursor),
        limit: limit + 1,
      });
      const page = rows.slice(0, limit);
      const last = page.at(-1);
      const waits = page.some((run) => run.status === 'queued') ? queue.waits() : new Map<string, WaitingRunView>();
      return {
        runs: page.map((run) => viewSummary(run, { ...options, waitOf: (each) => waits.get(each) })),
        next: rows.length > limit && last !== undefined ? encodeCursor(last) : null,
      };
    },
    setLogging: (id, change) => {
      const run = require(id);
      if (!['queued', 'starting', 'running', 'paused'].includes(run.status)) {
        throw new ProblemError('conflict', `${id} is ${run.status}, so nothing is logged any more; resume it first.`);
      }
      const given = Object.entries(change).filter(([, level]) => level !== undefined);
      const logging = { ...run.spec.logging, ...Object.fromEntries(given) } as RunSpec['logging'];
      runs.update(id, { spec: { ...run.spec, logging } });
      return view(id);
    },
  };
}
