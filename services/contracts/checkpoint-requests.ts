import { z } from 'zod';
import { field } from './field.ts';
import { runIdSchema } from './run.ts';

/** What the public API takes and answers about many checkpoints at once: retention and imports. */
const verdictSchema = z
  .strictObject({
    name: field(z.string(), 'Checkpoint, as `a<attempt>/checkpoint-<step>`.', 'a1/checkpoint-40'),
    size: field(z.int().min(0), 'Bytes of all its files.', 1_234_567),
    why: field(z.string(), 'Which rule keeps it, or that none does.', 'among the newest 5 (save_total_limit)'),
  })
  .meta({ id: 'RetentionVerdict' });

export const retentionReportSchema = z
  .strictObject({
    dry_run: field(z.boolean(), 'Whether nothing was changed.', true),
    keep: field(z.array(verdictSchema), 'What stays.', []),
    remove: field(z.array(verdictSchema), 'What goes, in that order.', []),
    sweep: field(
      z.array(
        z
          .strictObject({
            name: field(z.string(), 'Upload that never became a checkpoint.', 'a1/checkpoint-45'),
            why: field(z.string(), 'Why it goes now.', 'its attempt is over'),
          })
          .meta({ id: 'SweepVerdict' }),
      ),
      'Unfinished uploads and files without a manifest that go.',
      [],
    ),
  })
  .meta({ id: 'RetentionReport', description: 'What retention keeps and removes.' });
export type RetentionReport = z.infer<typeof retentionReportSchema>;

export const importRequestSchema = z
  .strictObject({
    path: field(
      z.string().min(1).max(4096),
      'Checkpoint folder or output folder on this host, below one of TANDEM_DATA_ROOTS.',
      'outputs/grpo_cua',
    ),
    spec: field(
      z.record(z.string(), z.unknown()).default({}),
      'Run spec of the run that is made, or the part of it that the folder does not tell; at least `model.name` has to come from one of them.',
      { model: { name: 'models/tiny' } },
    ),
  })
  .meta({ id: 'ImportRequest', description: 'What to import.' });
export type ImportRequest = z.output<typeof importRequestSchema>;

export const importReportSchema = z
  .strictObject({
    run: field(runIdSchema.nullable(), 'The run that was made; null with `dry_run`.', 'run-7k3m9q2d'),
    imported: field(
      z.array(
        z
          .strictObject({
            name: field(z.string(), 'Checkpoint that was made.', 'checkpoint-40'),
            from: field(z.string(), 'Folder it comes from.', 'outputs/grpo_cua/checkpoints/checkpoint-40'),
            layout: field(
              z.string(),
              '`tandem`, `peft`, `hf-trainer`, `samples` or `model-pt`: which layout was recognised.',
              'hf-trainer',
            ),
            size: field(z.int().min(0), 'Bytes.', 1_234_567),
            missing: field(z.array(z.string()), 'What a checkpoint has and this one lacks; it starts afresh.', [
              'optimizer.pt',
            ]),
          })
          .meta({ id: 'ImportedCheckpoint' }),
      ),
      'Checkpoints, oldest first.',
      [],
    ),
    records: field(
      z.record(z.string(), z.int()),
      'How many rows of the training log, evaluations and backups were taken over.',
      { train_history: 150, evaluations: 5 },
    ),
    skipped: field(
      z.array(
        z
          .strictObject({
            from: field(z.string(), 'What was left out.', 'outputs/grpo_cua/checkpoints/checkpoint-50'),
            why: field(z.string(), 'Why, and what would help.', 'holds no weights'),
          })
          .meta({ id: 'SkippedImport' }),
      ),
      'What was left out, and why.',
      [],
    ),
  })
  .meta({ id: 'ImportReport', description: 'What an import made.' });
export type ImportReport = z.infer<typeof importReportSchema>;
