import { dirname } from 'node:path';
import { type RunEvent, runEventSchema } from '../../contracts/event.ts';
import { makeDirectory } from '../../platform/atomic-file.ts';
import { appendLines, cutFile, readLines, sizeOf } from '../records/record-file.ts';
import type { EventStore } from './event.store.ts';

const PAGE = 1000;

/** The events of a run as a file of JSON lines, in order of their ids. */
export interface EventFile {
  /** Appends the events that it lacks, synced. After an error: open it again. */
  append(run: string, events: Pick<EventStore, 'list' | 'last'>): Promise<void>;
}

/** Opens the file, or makes it with the first event; half a line that a kill left at its end is cut off. */
export async function openEventFile(path: string): Promise<EventFile> {
  let { id, end } = await endOf(path);
  if ((await sizeOf(path)) > end) await cutFile(path, end, { keep: false });
  return {
    append: async (run, events) => {
      while (id < events.last(run)) {
        const page = events.list(run, { after: id, limit: PAGE });
        await makeDirectory(dirname(path));
        end = await appendLines(
          path,
          end,
          page.map((event) => JSON.stringify(event)),
        );
        id = page.at(-1)?.id ?? id;
      }
    },
  };
}

/** The events of such a file up to the first line that is not one. */
export async function* readEventFile(path: string): AsyncGenerator<RunEvent> {
  for await (const { text } of readLines(path, 0)) {
    const event = parseEvent(text);
    if (event === null) return;
    yield event;
  }
}

async function endOf(path: string): Promise<{ id: number; end: number }> {
  let last = { id: 0, end: 0 };
  for await (const { text, end } of readLines(path, 0)) {
    const event = parseEvent(text);
    if (event === null) break;
    last = { id: event.id, end };
  }
  return last;
}

function parseEvent(line: string): RunEvent | null {
  try {
    return runEventSchema.safeParse(JSON.parse(line)).data ?? null;
  } catch {
    return null;
  }
}
