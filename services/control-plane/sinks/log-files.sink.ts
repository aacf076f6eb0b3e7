import type { LogLevels } from '../../contracts/agent-operations.ts';
import { logLevels } from '../../contracts/run-spec/logging.ts';
import { START } from '../records/cursor.ts';
import type { RecordService } from '../records/record.service.ts';
import type { Cursor, RecordEntry } from '../records/record-types.ts';
import type { LogFile } from './log-file-paths.ts';
import { toLogLine } from './log-line.ts';
import type { LogLimits } from './rotated-files.ts';
import { openRotatingFile, type RotatingFile } from './rotating-file.ts';
import type { Sink, SinkTarget } from './sink.ts';

const PAGE = 1000;

/**
 * One of `training.log`, `rollouts.log`, `performance.log`: JSON lines
 * `{"timestamp","level","component","message","attempt","n","run",...fields}`. Goes on after the last line the files hold, so after a kill no line
 * is missing and none is there twice.
 */
export function createLogFileSink({
  target,
  records,
  file,
  logs,
  limits,
}: {
  target: SinkTarget;
  records: Pick<RecordService, 'since'>;
  file: LogFile;
  /** All log files of the run, which share the limits. */
  logs?: readonly string[] | undefined;
  limits: LogLimits;
}): Sink {
  let opened: { output: RotatingFile; cursor: Cursor } | null = null;

  const open = async () => {
    const output = await openRotatingFile({ path: file.path, logs, limits });
    if (output.last !== null && output.last.run !== target.run) {
      throw new Error(
        `${file.path} holds the log of ${output.last.run}; move it away or choose another path under logging.`,
      );
    }
    return { output, cursor: output.last ?? START };
  };

  const lineOf = ({ attempt, record }: RecordEntry, levels: LogLevels): string[] => {
    if (record.kind !== 'log') return [];
    const isWanted = logLevels.indexOf(record.level) >= logLevels.indexOf(levels[record.component]);
    return isWanted ? [toLogLine(target.run, attempt, record)] : [];
  };

  return {
    name: file.path,
    wakesOn: ['records'],
    async catchUp() {
      opened ??= await open();
      const { output } = opened;
      try {
        for (let more = true; more; ) {
          const filter = { kinds: ['log'], components: file.components } as const;
          const page = await records.since(target.run, opened.cursor, { filter, limit: PAGE });
          const levels = target.levels();
          const lines = page.entries.flatMap((entry) => lineOf(entry, levels));
          if (lines.length > 0) await output.append(lines);
          opened.cursor = page.cursor;
          more = page.more;
        }
      } catch (error) {
        // Part of a batch may have been written; where it ends is read again from the file.
        opened = null;
        throw error;
      }
    },
  };
}
