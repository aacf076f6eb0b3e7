import { z } from 'zod';
import { field } from './field.ts';
import { reasonSchema } from './reason.ts';
import { runStatusSchema } from './run.ts';

export const eventNames = [
  'status_changed',
  'attempt_started',
  'attempt_ended',
  'role_started',
  'role_ready',
  'role_exited',
  'checkpoint_committed',
  'checkpoint_deleted',
  'checkpoint_pinned',
  'checkpoint_unpinned',
  'checkpoint_rejected',
  'save_failed',
  'evaluated',
  'best_updated',
  'resumed',
  'gpus_leased',
  'gpus_released',
  'gpu_quarantined',
  'gpu_trouble',
  'preempted',
  'model_fetching',
  'model_fetched',
  'model_removed',
  'warning',
] as const;

/** Something that happened to a run and why; numbered within the run, never changed. */
export const runEventSchema = z
  .strictObject({
    id: field(z.int().min(1), 'Number within the run; also the SSE id.', 12),
    time: field(z.iso.datetime(), 'When.', '2026-11-20T09:00:00.000Z'),
    name: field(z.enum(eventNames), 'What happened.', 'status_changed'),
    actor: field(z.enum(['user', 'control_plane', 'trainer']), 'Who made it happen.', 'control_plane'),
    attempt: field(z.int().nullable(), 'Attempt it belongs to.', 1),
    status: field(runStatusSchema.nullable(), 'New status, for `status_changed`.', 'running'),
    reason: field(reasonSchema.nullable(), 'Why.', 'training'),
    message: field(z.string(), 'In words.', 'starting -> running: the trainer has reported.'),
    data: field(z.record(z.string(), z.unknown()), 'Structured values beside it.', { step: 40 }),
  })
  .meta({ id: 'RunEvent', description: 'What happened to a run and why.' });
export type RunEvent = z.infer<typeof runEventSchema>;
export type EventName = (typeof eventNames)[number];
