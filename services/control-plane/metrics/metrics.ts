import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { type RunStatus, runStatuses } from '../../contracts/run.ts';
import { type GpuState, gpuStates } from './gpu-states.ts';
import type { RunMetrics } from './run-metrics.ts';

/** What is read when somebody asks for metrics. */
export interface MetricSources {
  runs: () => ReadonlyMap<RunStatus, number>;
  /** Seconds that the run has waited that has waited longest; 0 where none waits. */
  longestWait: () => number;
  gpus: () => ReadonlyMap<GpuState, number>;
  leases: () => readonly { run: string; attempt: number; seconds: number }[];
  running: () => RunMetrics;
  /** Records that a sink of a kind has yet to take in, over all runs, and how many of its kind fail. */
  sinks: () => readonly { sink: string; records: number; failing: number }[];
}

export type EndedStatus = 'succeeded' | 'failed' | 'cancelled';

/** The control plane in numbers, for Prometheus. */
export interface Metrics {
  /** The text format, and its media type. */
  text(): Promise<string>;
  contentType: string;
  /** @param seconds until the answer began */
  request(labels: { operation: string; method: string; status: number }, seconds: number): void;
  reconciled(seconds: number): void;
  /** A run left the queue. */
  granted(waitSeconds: number): void;
  ended(status: EndedStatus): void;
  checkpointed(bytes: number): void;
  saveFailed(): void;
}

const SECONDS = [0.001, 0.005, 0.02, 0.1, 0.5, 2.5, 10];
const WAITS = [1, 10, 60, 300, 900, 3600, 4 * 3600, 24 * 3600];

/**
 * All of them in one table of names, which README.md explains. Labels are bounded: names of operations, statuses and sinks, and the runs that hold GPUs
 * or run now.
 */
export function createMetrics(sources: MetricSources): Metrics {
  const registers = [new Registry()];
  const [registry] = registers as [Registry];
  let isWatched = false;

  const gauge = <L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[],
    collect: (set: (labels: Partial<Record<L, string | number>>, value: number) => void) => void,
  ) =>
    new Gauge({
      name,
      help,
      labelNames,
      registers,
      collect() {
        this.reset();
        collect((labels, value) => this.set(labels, value));
      },
    });

  gauge('tandem_runs', 'Runs by status.', ['status'], (set) => {
    const found = sources.runs();
    for (const status of runStatuses) set({ status }, found.get(status) ?? 0);
  });
  gauge('tandem_queue_longest_wait_seconds', 'How long the run has waited that waits longest.', [], (set) =>
    set({}, sources.longestWait()),
  );
  gauge('tandem_gpus', 'GPUs of the host by state.', ['state'], (set) => {
    const found = sources.gpus();
    for (const state of gpuStates) set({ state }, found.get(state) ?? 0);
  });
  gauge('tandem_lease_age_seconds', 'Since when an attempt holds its GPUs.', ['run', 'attempt'], (set) => {
    for (const { run, attempt, seconds } of sources.leases()) set({ run, attempt }, seconds);
  });
  const running = new Gauge({
    name: 'tandem_run_metric',
    help: 'Newest value of the key metrics of runs that run, the newest runs only.',
    labelNames: ['run', 'metric'],
    registers,
  });
  const steps = new Gauge({
    name: 'tandem_run_step',
    help: 'Optimizer steps done by runs that run; problems done by evaluations.',
    labelNames: ['run'],
    registers,
  });
  const omitted = new Gauge({
    name: 'tandem_run_metrics_left_out',
    help: 'Runs that run and are not among tandem_run_metric, since they are too many.',
    registers,
  });
  const backlog = new Gauge({
    name: 'tandem_sink_backlog_records',
    help: 'Records that files and trackers of open runs have yet to take in.',
    labelNames: ['sink'],
    registers,
  });
  const failing = new Gauge({
    name: 'tandem_sinks_failing',
    help: 'Files and trackers of open runs whose last try failed.',
    labelNames: ['sink'],
    registers,
  });
  /** What fills several of them and costs a look into the index, once for each answer. */
  const readCostly = () => {
    const { runs, leftOut } = sources.running();
    for (const each of [running, steps, omitted, backlog, failing]) each.reset();
    for (const { run, step, values } of runs) {
      steps.set({ run }, step);
      for (const [metric, value] of values) running.set({ run, metric }, value);
    }
    omitted.set(leftOut);
    for (const { sink, records, failing: count } of sources.sinks()) {
      backlog.set({ sink }, records);
      failing.set({ sink }, count);
    }
  };

  const requests = new Histogram({
    name: 'tandem_http_request_seconds',
    help: 'From a request to the beginning of its answer, of the public and the agent API.',
    labelNames: ['operation', 'method', 'status'],
    buckets: SECONDS,
    registers,
  });
  const rounds = new Histogram({
    name: 'tandem_reconcile_seconds',
    help: 'Rounds of the reconciler.',
    buckets: SECONDS,
    registers,
  });
  const waits = new Histogram({
    name: 'tandem_queue_wait_seconds',
    help: 'How long runs waited in the queue that have left it for an attempt.',
    buckets: WAITS,
    registers,
  });
  const ends = new Counter({
    name: 'tandem_runs_ended_total',
    help: 'Runs that ended, since this process started.',
    labelNames: ['status'],
    registers,
  });
  for (const status of ['succeeded', 'failed', 'cancelled'] satisfies EndedStatus[]) ends.inc({ status }, 0);
  const saved = new Counter({ name: 'tandem_checkpoints_total', help: 'Checkpoints committed.', registers });
  const bytes = new Counter({ name: 'tandem_checkpoint_bytes_total', help: 'Their bytes.', registers });
  const failures = new Counter({
    name: 'tandem_checkpoint_failures_total',
    help: 'Checkpoints that a trainer could not save.',
    registers,
  });

  return {
    contentType: registry.contentType,
    async text() {
      // They watch the process for good, so nobody pays for them who does not look.
      if (!isWatched) collectDefaultMetrics({ register: registry });
      isWatched = true;
      readCostly();
      return registry.metrics();
    },
    request: (labels, seconds) => requests.observe(labels, seconds),
    reconciled: (seconds) => rounds.observe(seconds),
    granted: (seconds) => waits.observe(seconds),
    ended: (status) => ends.inc({ status }),
    checkpointed: (size) => {
      saved.inc();
      bytes.inc(size);
    },
    saveFailed: () => failures.inc(),
  };
}
