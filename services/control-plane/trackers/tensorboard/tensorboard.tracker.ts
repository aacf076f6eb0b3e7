import { stat } from 'node:fs/promises';
import type { TrackerStatus } from '../../../contracts/tracker.ts';
import type { Logger } from '../../../platform/logger.ts';
import type { Redactor } from '../../../platform/redaction.ts';
import { formatCursor, START } from '../../records/cursor.ts';
import type { RecordService } from '../../records/record.service.ts';
import type { PathPolicy } from '../../runs/path-policy.ts';
import type { SinkTarget } from '../../sinks/sink.ts';
import { countBacklog } from '../count-backlog.ts';
import { failureMessage } from '../failure-message.ts';
import type { Tracker } from '../tracker.ts';
import { readLastFile } from './event-log.ts';
import { BOARD_FILTER, type EventWriter, openEventWriter } from './event-writer.ts';
import { logDirectory } from './log-directory.ts';

export interface TensorboardOptions {
  target: SinkTarget;
  records: Pick<RecordService, 'since' | 'resumePoints' | 'files'>;
  paths: Pick<PathPolicy, 'absolute' | 'writable'>;
  /** Hides secrets of the spec in what is shown of it. */
  redactor: Redactor;
  now: () => number;
  log: Logger;
  /** An event file that is so large is followed by another one. */
  maxBytes?: number;
}

/** TensorBoard's event files of a run, or null where `monitoring.enable_tensorboard` is off. Where it is, the files themselves say. */
export function createTensorboardTracker(options: TensorboardOptions): Tracker | null {
  const { target, records, paths, now, log } = options;
  if (!target.spec.monitoring.enable_tensorboard) return null;
  let writer: EventWriter | null = null;
  let failed: TrackerStatus['last_error'] = null;

  const open = async () => {
    const { directory, warning } = await logDirectory(target, paths);
    if (warning !== null) log.warn(warning, { run: target.run });
    return openEventWriter({ ...options, directory });
  };

  return {
    kind: 'tensorboard',
    name: 'tensorboard',
    remote: false,
    wakesOn: ['records'],
    async catchUp(final) {
      try {
        writer ??= await open();
        await writer.catchUp();
        if (final && target.status() === 'succeeded') await writer.end(now());
        failed = null;
      } catch (error) {
        // Part of what was to be written may be there; how much is read again from the files.
        writer = null;
        failed = { time: new Date(now()).toISOString(), message: failureMessage(error) };
        throw error;
      }
    },
    async status() {
      const { directory } = await logDirectory(target, paths);
      const file = await readLastFile(directory, target.run);
      const backlog = await countBacklog(records, target.run, writer?.cursor ?? file?.cursor ?? START, BOARD_FILTER);
      const hasEnded = ['succeeded', 'failed', 'cancelled'].includes(target.status());
      return {
        kind: 'tensorboard',
        state: failed !== null ? 'behind' : hasEnded && backlog === 0 ? 'finished' : file === null ? 'waiting' : 'live',
        mode: null,
        run_id: null,
        run_name: null,
        project: null,
        url: directory,
        last_step: file === null ? null : file.lastStep,
        last_record: file === null ? null : formatCursor(file.cursor),
        backlog,
        last_sent_at: file === null ? null : (await stat(file.path)).mtime.toISOString(),
        last_error: failed,
      };
    },
  };
}
