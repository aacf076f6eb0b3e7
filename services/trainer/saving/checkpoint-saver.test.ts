import { setImmediate as settled } from 'node:timers/promises';
import { beforeEach, expect, test, vi } from 'vitest';
import type { RecordBody } from '../../contracts/record.ts';
import { createAttemptControl } from '../agent/attempt-control.ts';
import type { CheckpointSnapshot } from '../checkpoint/snapshot.ts';
import { TrainerError } from '../failure.ts';
import { createComponentLogs } from '../log/component-logs.ts';
import { type CheckpointSaver, createCheckpointSaver } from './checkpoint-saver.ts';
import type { SaveWorker } from './save-worker.ts';

const levels = { training: 'INFO', rollout: 'INFO', eval: 'INFO', performance: 'INFO' } as const;
/** The saver hands it on unseen. */
const snapshot = (step: number) => ({ step }) as unknown as CheckpointSnapshot;
const commitOf = (step: number, purpose: 'step' | 'final' = 'step') => ({
  ...{ step, purposes: [purpose], policy_version: step, record: 9, epoch: 0.5, best_metric: null },
  ...{ metrics: {}, inputs: {} },
});
const full = () => new TrainerError('disk_full', 'The disk is full: nothing fits', 'Free 5 MiB.');

/** A worker whose saves end when the test says so. */
let calls: string[];
let ends: { saved: () => void; failed: (error: Error) => void }[];
let control: ReturnType<typeof createAttemptControl>;
let records: RecordBody[];
let saver: CheckpointSaver;
beforeEach(() => {
  calls = [];
  ends = [];
  records = [];
  control = createAttemptControl(levels);
  const worker: SaveWorker = {
    hold: (held) => void calls.push(`hold ${(held as unknown as { step: number }).step}`),
    save: (directory, { step }) => {
      calls.push(`save ${step} in ${directory}`);
      return new Promise((saved, failed) => ends.push({ saved, failed }));
    },
    giveUp: (why) => void calls.push(`give up: ${why}`),
    idle: async () => {},
    drop: () => void calls.push('drop'),
    close: async () => {},
  };
  const append = (bodies: readonly RecordBody[]) => void records.push(...bodies);
  saver = createCheckpointSaver(
    {
      ...{ saveWorker: worker, control, records: { append }, workspace: '/work', now: () => 5000, wall: () => 5000 },
      logs: createComponentLogs({ write: (record) => append([record]), levels: () => levels }),
    },
    null,
  );
});

test('training goes on beside a save, and the next one waits until that is done: it is never more than one behind', async () => {
  await saver.save(snapshot(2), commitOf(2));
  expect(calls).toEqual(['hold 2', 'save 2 in /work/checkpoints']);
  let handedOver = false;
  const second = saver.save(snapshot(4), commitOf(4)).then(() => {
    handedOver = true;
  });
  await settled();
  expect(calls).toHaveLength(2);
  expect(handedOver).toBe(false);

  ends[0]!.saved();
  await second;
  expect(calls.slice(2)).toEqual(['drop', 'hold 4', 'save 4 in /work/checkpoints']);
  const all = saver.settle();
  ends[1]!.saved();
  await all;
  expect(calls.at(-1)).toBe('drop');
  expect(said()).toEqual(['Checkpoint saved: checkpoint-2', 'Checkpoint saved: checkpoint-4']);
  expect(saver.lastSavedStep).toBe(4);
});

test('a save that fails frees the next one, is told with reason and remedy, and counts as not saved', async () => {
  await saver.save(snapshot(2), commitOf(2));
  const second = saver.save(snapshot(4), commitOf(4));
  ends[0]!.failed(full());
  await second;
  expect(calls.slice(2)).toEqual(['drop', 'hold 4', 'save 4 in /work/checkpoints']);
  expect(records).toContainEqual({
    kind: 'event',
    name: 'save_failed',
    message: 'checkpoint-2 could not be saved: The disk is full: nothing fits',
    reason: 'disk_full',
    remedy: 'Free 5 MiB.',
    data: { step: 2, final_try: true },
  });
  expect(said()).toEqual(['Checkpoint not saved: checkpoint-2 | The disk is full: nothing fits | Free 5 MiB.']);
  expect(saver.lastSavedStep).toBe(4);

  const all = saver.settle();
  ends[1]!.failed(full());
  await all;
  // So that the step is saved when something asks for it again.
  expect(saver.lastSavedStep).toBeNull();
});

test('the final save is tried again with what is held until the deadline, and must not be missing', async () => {
  await saver.save(snapshot(6), commitOf(6, 'final'));
  control.stop(5000);
  const all = expect(saver.settle()).rejects.toMatchObject({
    reason: 'disk_full',
    message: 'The last checkpoint, checkpoint-6, could not be saved: The disk is full: nothing fits',
    remedy: 'Free 5 MiB.',
  });
  ends[0]!.failed(full());
  await vi.waitUntil(() => ends.length === 2);
  ends[1]!.failed(full());
  await all;
  const save = 'save 6 in /work/checkpoints';
  expect(calls).toEqual(['hold 6', save, 'give up: the deadline for the last checkpoint passed', save, 'drop']);
  expect(records.filter(({ kind }) => kind === 'event')).toMatchObject([
    { name: 'save_failed', data: { step: 6, final_try: false } },
    { name: 'save_failed', data: { step: 6, final_try: true } },
  ]);
});

test('of an attempt that is closed a failure is not told any more', async () => {
  await saver.save(snapshot(2), commitOf(2));
  control.close();
  expect(calls.at(-1)).toBe('give up: the control plane has closed this attempt');
  ends[0]!.failed(new Error('given up'));
  await expect(saver.settle()).rejects.toThrow('the control plane has closed this attempt');
  expect(records).toEqual([]);
});

function said(): string[] {
  return records.flatMap((record) => (record.kind === 'log' ? [record.message] : []));
}
