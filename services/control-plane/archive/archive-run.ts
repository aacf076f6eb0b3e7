import { createReadStream } from 'node:fs';
import type { LogRecord } from '../../contracts/record.ts';
import type { Run } from '../../contracts/run.ts';
import type { CheckpointService } from '../checkpoints/checkpoint.service.ts';
import type { EventStore } from '../events/event.store.ts';
import type { RecordService } from '../records/record.service.ts';
import { readLines } from '../records/record-file.ts';
import type { RecordFileView } from '../records/record-types.ts';
import { fileNames, toLogLine } from '../sinks/log-line.ts';
import { lineParts, type NamedLine } from './line-parts.ts';
import type { ArchiveEntry } from './write-tar.ts';

const EVENT_PAGE = 1000;

export interface ArchiveServices {
  /** The run as the API shows it. */
  view: (run: string) => Run;
  events: Pick<EventStore, 'list' | 'last'>;
  records: Pick<RecordService, 'files' | 'evaluations'>;
  checkpoints: Pick<CheckpointService, 'list'>;
  /** The files of what its programs printed, named as in the archive. */
  printed: (run: string) => AsyncIterable<ArchiveEntry>;
}

/**
 * The files of a run's archive, below a directory of its name. What they hold is as of this call: records and events that come later are not in them,
 * however long the archive takes to be read. Logs hold every line that was recorded, whatever the levels of the run's own log files, and what its
 * programs printed, as far as that is kept when it is their turn.
 */
export function archiveRun(id: string, services: ArchiveServices, now: number): AsyncGenerator<ArchiveEntry> {
  const { view, events, records, checkpoints, printed } = services;
  const run = view(id);
  const files = records.files(id);
  const lastEvent = events.last(id);
  const about = {
    schema: 'tandem.archive/1',
    run: id,
    created_at: new Date(now).toISOString(),
    records: files.map(({ attempt, high, size }) => ({ attempt, records: high, bytes: size })),
    events: lastEvent,
  };
  const documents: [string, unknown][] = [
    ['archive.json', about],
    ['run.json', run],
    ['spec.json', run.spec],
    ['evaluations.json', records.evaluations(id)],
    ['checkpoints.json', checkpoints.list(id)],
  ];

  return (async function* () {
    for (const [name, document] of documents) {
      yield { name: `${id}/${name}`, content: Buffer.from(`${JSON.stringify(document, null, 2)}\n`) };
    }
    yield* lineParts(eventLines(id, events, lastEvent));
    for (const file of files) yield recordEntry(id, file);
    yield* lineParts(logLines(id, files));
    for await (const { name, content } of printed(id)) yield { name: `${id}/${name}`, content };
  })();
}

function* eventLines(id: string, events: ArchiveServices['events'], last: number): Generator<NamedLine> {
  for (let after = 0; after < last; ) {
    const page = events.list(id, { after, limit: Math.min(EVENT_PAGE, last - after) });
    for (const event of page) yield { file: `${id}/events.jsonl`, line: JSON.stringify(event) };
    after = page.at(-1)?.id ?? last;
  }
}

function recordEntry(id: string, { attempt, path, size }: RecordFileView): ArchiveEntry {
  return {
    name: `${id}/records/a${attempt}.jsonl`,
    content: { size, read: () => createReadStream(path, { end: size - 1 }) },
  };
}

async function* logLines(id: string, files: readonly RecordFileView[]): AsyncGenerator<NamedLine> {
  for (const { attempt, path, size } of files) {
    for await (const { text } of readLines(path, 0, size)) {
      // Most records are no log lines and need not be parsed to know that.
      if (!text.includes('"kind":"log"')) continue;
      const record = JSON.parse(text) as { kind: string };
      if (record.kind !== 'log') continue;
      const log = record as LogRecord;
      yield { file: `${id}/logs/${fileNames[log.component]}`, line: toLogLine(id, attempt, log) };
    }
  }
}
