import type { Redactor } from '../../../platform/redaction.ts';
import type { RecordService } from '../../records/record.service.ts';
import type { TrackerFactory } from '../tracker.ts';
import { createWandbClient } from './wandb.client.ts';
import { createWandbTracker } from './wandb.tracker.ts';
import type { WandbSettings } from './wandb-settings.ts';

/** Trackers of the runs that turn W&B on. */
export function wandbTrackers({
  settings,
  records,
  redactor,
  modelConfig,
  onStop,
  now,
  steady,
}: {
  settings: WandbSettings;
  records: Pick<RecordService, 'since' | 'resumePoints' | 'files'>;
  redactor: Redactor;
  modelConfig: (run: string) => Promise<Record<string, unknown> | null>;
  onStop: (run: string, message: string) => void;
  now: () => number;
  steady: () => number;
}): TrackerFactory {
  const client = createWandbClient({ settings, now });
  const claims = new Map<string, string>();
  return (target) =>
    target.spec.monitoring.enable_wandb
      ? createWandbTracker({
          ...{ target, settings, client, records, redactor, now, steady, claims },
          modelConfig: () => modelConfig(target.run),
          onStop: (message) => onStop(target.run, message),
        })
      : null;
}
