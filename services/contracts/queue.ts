import { z } from 'zod';
import { field } from './field.ts';
import { runIdSchema } from './run.ts';

const count = (description: string, example: number) => field(z.int().min(0), description, example);
const time = (description: string) => field(z.iso.datetime(), description, '2026-11-20T09:40:00.000Z');
const uuids = (description: string) =>
  field(z.array(z.string()), description, ['GPU-5f1c9d7e-0b0a-4c63-9f64-0d3b8f6a2e11']);

const waitingRunSchema = z
  .strictObject({
    run: field(runIdSchema, 'The run.', 'run-7k3m9q2d'),
    name: field(z.string().nullable(), 'Its name for people.', 'addition-grpo'),
    on: field(
      z.enum(['gpus', 'cpu']),
      'What it waits for: GPUs, or a slot of the CPU. Each has a line of its own.',
      'gpus',
    ),
    position: field(z.int().min(1), 'Place in its line, from 1.', 2),
    priority: field(z.int(), 'Higher starts earlier; waiting counts besides.', 50),
    queued_at: time('Since when it waits; a pause, a restart and a preemption keep it.'),
    profile: field(z.string(), 'Its GPU profile.', 'split-4'),
    needs: count('GPUs it needs; 0 on the CPU.', 4),
    free: count('GPUs, or slots, that were free when its turn came.', 2),
    cause: field(
      z.enum(['gpus', 'reserved', 'backoff', 'too_large', 'quota', 'slot', 'ending', 'reading', 'profile', 'model']),
      '`gpus`: too few are free. `reserved`: they are free, but kept for the first in line. `backoff`: it restarts later. `too_large`: no end of a run would ' +
        'make room. `quota`: its label may hold no more. `slot`: all slots are taken. `ending`: its last programs are still ending. `reading`: the GPUs are ' +
        'being read. `profile`: its profile is no longer there. `model`: its model is being fetched; it keeps back nobody meanwhile.',
      'gpus',
    ),
    behind: field(runIdSchema.nullable(), 'The run whose reservation it waits behind.', 'run-1a2b3c4d'),
    why: field(
      z.string(),
      'All of that in a sentence.',
      'needs 4, free 2, 1 quarantined; behind run-1a2b3c4d, which starts in about 40 min',
    ),
  })
  .meta({ id: 'WaitingRun', description: 'A run that waits, and why.' });

const holdingRunSchema = z
  .strictObject({
    run: field(z.string(), 'The run.', 'run-1a2b3c4d'),
    gpus: uuids('GPUs it holds.'),
    since: time('When it got them.'),
    ends_at: field(
      z.iso.datetime().nullable(),
      'When it is expected to end, by its progress or `expected_minutes`; null where nobody knows.',
      '2026-11-20T11:00:00.000Z',
    ),
    preemptible: field(z.boolean(), 'Whether a run of higher priority may have its GPUs.', true),
    stopping: field(z.boolean(), 'Asked to end, or ended and not yet gone.', false),
  })
  .meta({ id: 'HoldingRun', description: 'A run that holds GPUs.' });

export const queueSchema = z
  .strictObject({
    time: time('When this was decided.'),
    waiting: field(
      z.array(waitingRunSchema),
      'Who waits: the line of the GPUs, then that of the CPU, each in its order.',
      [],
    ),
    reservation: field(
      z
        .strictObject({
          run: field(runIdSchema, 'The first run that has to wait for GPUs.', 'run-1a2b3c4d'),
          at: field(
            z.iso.datetime().nullable(),
            'When they are free, by the estimates; null where a run that it waits for tells no end.',
            '2026-11-20T10:20:00.000Z',
          ),
          gpus: uuids('GPUs that are kept for it; empty while `at` is null.'),
        })
        .meta({ id: 'Reservation' })
        .nullable(),
      'What is kept for the first run that has to wait for GPUs; null where none has to.',
      null,
    ),
    holding: field(z.array(holdingRunSchema), 'Who holds GPUs.', []),
    gpus: field(
      z
        .strictObject({
          total: count('GPUs of the host.', 8),
          usable: count('Those that runs can have, whether held or free.', 7),
          free: count('Of these, free.', 2),
          quarantined: count('Kept back until they are in order; GET /gpus says why.', 1),
          read_at: field(
            z.iso.datetime().nullable(),
            'When they were read; null before the first time.',
            '2026-11-20T09:39:58.000Z',
          ),
        })
        .meta({ id: 'QueueGpus' }),
      'GPUs in numbers.',
      { total: 8, usable: 7, free: 2, quarantined: 1, read_at: null },
    ),
    slots: field(
      z
        .strictObject({
          total: count('Runs on the CPU at a time (`TANDEM_SLOTS`).', 1),
          used: count('Of these, taken.', 1),
        })
        .meta({ id: 'QueueSlots' }),
      'Slots in numbers.',
      { total: 1, used: 1 },
    ),
    quotas: field(
      z.array(
        z
          .strictObject({
            label: field(z.string(), 'Label it counts by.', 'team'),
            value: field(z.string(), 'Value of the label.', 'research'),
            gpus: count('GPUs that runs with it may hold at a time.', 4),
            held: count('GPUs they hold.', 2),
          })
          .meta({ id: 'QuotaUse' }),
      ),
      'Quotas (`TANDEM_QUOTAS`), for each value of a label that waits, holds or has a quota of its own.',
      [],
    ),
  })
  .meta({ id: 'Queue', description: 'Who waits for GPUs or a slot, in order, and why.' });
export type QueueView = z.infer<typeof queueSchema>;
export type WaitingRunView = z.infer<typeof waitingRunSchema>;
