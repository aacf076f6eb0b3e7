import { cp, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { AttemptSpec, ResumeCandidate } from '../../contracts/agent-operations.ts';
import type { Manifest } from '../../contracts/checkpoint.ts';
import type { TrainerRecord } from '../../contracts/record.ts';
import { isReproducible } from '../metrics.ts';
import { runAttempt } from '../run-attempt.ts';
import { candidates } from './attempt.ts';
import { startTestControlPlane, type TestControlPlane } from './control-plane.ts';

/** One life of the trainer, over. */
export interface Life {
  readonly exitCode: number;
  readonly records: readonly TrainerRecord[];
  readonly manifests: readonly Manifest[];
  readonly candidates: readonly ResumeCandidate[];
  readonly directory: string;
  readonly errors: readonly unknown[];
}

/** What happens to a life while it lasts. */
export type Interruption = (plane: TestControlPlane, terminate: AbortController) => void;

/** Closes the attempt at a step: the trainer ends there and saves nothing, as after a kill. */
export function fence(step: number): Interruption {
  return (plane) => onStep(plane, step, () => ({ failWith: 410 }));
}

/** Asks for a stop at a step. */
export function stopAt(step: number): Interruption {
  return (plane) => onStep(plane, step, () => ({ want: 'stop' }));
}

/** SIGTERM at a step. */
export function terminateAt(step: number): Interruption {
  return (plane, terminate) =>
    onStep(plane, step, () => {
      terminate.abort();
      return {};
    });
}

/** Runs the trainer in this process against a control plane of its own. `during` may interfere at any time. */
export async function live(attempt: AttemptSpec, directory: string, during: Interruption = () => {}): Promise<Life> {
  const plane = await startTestControlPlane({ attempt, directory: path.join(directory, `store-a${attempt.attempt}`) });
  const terminate = new AbortController();
  const errors: unknown[] = [];
  during(plane, terminate);
  const exitCode = await runAttempt({
    environment: {
      agentUrl: plane.url,
      attempt: `${attempt.run}.a${attempt.attempt}`,
      token: plane.token,
      workspace: path.join(directory, `work-a${attempt.attempt}`),
    },
    terminate: terminate.signal,
    now: Date.now,
    complain: (error) => errors.push(error),
  });
  await plane.close();
  return {
    exitCode,
    records: plane.records,
    manifests: plane.manifests,
    candidates: candidates(plane),
    directory: plane.directory,
    errors,
  };
}

/** What a run made of lives measured, on its clean axis: of each life what the next one started from covers. */
export function measured(lives: readonly Life[]) {
  const kept = lives.flatMap((life, i) => {
    if (i === lives.length - 1) return life.records;
    const covered = life.candidates[0]?.manifest?.record ?? 0;
    return life.records.filter(({ n }) => n <= covered);
  });
  return {
    metrics: kept.flatMap((record) => (record.kind === 'metrics' ? [withoutPerformance(record)] : [])),
    evaluations: kept.flatMap((record) => {
      if (record.kind !== 'evaluation') return [];
      const { eval_time: _time, timestamp: _timestamp, ...rest } = record.evaluation;
      return [rest];
    }),
  };
}

/** The bytes that a resumed run has to repeat, by path. */
export async function finalBytes(life: Life, files: readonly string[]): Promise<Record<string, string>> {
  const final = life.manifests.find(({ purposes }) => purposes.includes('final'));
  if (final === undefined) throw new Error('this life has no final checkpoint');
  const read = async (name: string) => [
    name,
    (await readFile(path.join(life.directory, final.name, name))).toString('base64'),
  ];
  return Object.fromEntries(await Promise.all(files.map(read)));
}

export function event(life: Life, name: string): TrainerRecord | undefined {
  return life.records.find((record) => record.kind === 'event' && record.name === name);
}

export function messages(life: Life): string[] {
  return life.records.flatMap((record) => (record.kind === 'log' ? [record.message] : []));
}

function onStep(plane: TestControlPlane, step: number, change: () => Partial<TestControlPlane>): void {
  plane.onRecord((record) => {
    if (record.kind === 'metrics' && record.step >= step) Object.assign(plane, change());
  });
}

function withoutPerformance({ step, epoch, samples, values }: Extract<TrainerRecord, { kind: 'metrics' }>) {
  const names = Object.keys(values).filter(isReproducible).sort();
  return { step, epoch, samples, values: Object.fromEntries(names.map((name) => [name, values[name]])) };
}

/** A model directory made of a checkpoint, as the control plane prepares one when a run starts from another's. */
export async function modelOf(life: Life, directory: string): Promise<string> {
  const checkpoint = path.join(life.directory, life.manifests.at(-1)!.name);
  for (const part of ['model', 'tokenizer']) await cp(path.join(checkpoint, part), directory, { recursive: true });
  return directory;
}
