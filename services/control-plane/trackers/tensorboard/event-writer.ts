import type { RunSpec } from '../../../contracts/run-spec.ts';
import type { Redactor } from '../../../platform/redaction.ts';
import type { RecordService } from '../../records/record.service.ts';
import type { Cursor, RecordEntry } from '../../records/record-types.ts';
import { type CleanAxis, cleanAxis, isAfter, isOnAxis, isSameAxis } from '../clean-axis.ts';
import { shownConfig } from '../shown-config.ts';
import { boardValues, configText, type ShownSteps } from './board-values.ts';
import { type EventFileHead, endEvent, frameEvent, recordEvent } from './event-files.ts';
import { openEventLog } from './event-log.ts';
import { sessionEnd, sessionStart } from './hparams-proto.ts';
import { type FilePlan, planFirst, planForAxis, planNext } from './plan-file.ts';

/** What TensorBoard is shown of. */
export const BOARD_FILTER = { kinds: ['metrics', 'event'] } as const;

const MAX_BYTES = 8 * 1024 * 1024;
const PAGE = 1000;

/** Writes the clean axis of a run into its event files, each record once. */
export interface EventWriter {
  /** How far the records have been looked at. */
  readonly cursor: Cursor;
  catchUp(): Promise<void>;
  /** Notes that the run has succeeded, at `time` in ms since 1970. */
  end(time: number): Promise<void>;
}

/** Where the writer is: in a file, or before one that is begun with the first thing that is to be in it. */
interface Place {
  head: EventFileHead;
  plan: FilePlan | null;
  cursor: Cursor;
  shown: ShownSteps;
  lastStep: number;
}

export async function openEventWriter({
  target,
  records,
  directory,
  redactor,
  maxBytes = MAX_BYTES,
}: {
  target: { run: string; spec: RunSpec };
  records: Pick<RecordService, 'since' | 'resumePoints'>;
  directory: string;
  redactor: Redactor;
  maxBytes?: number;
}): Promise<EventWriter> {
  const { run } = target;
  const log = await openEventLog(directory, run);
  const currentAxis = () => cleanAxis(records.resumePoints(run));

  const placeOf = async (axis: CleanAxis): Promise<Place> => {
    const { last } = log;
    if (last !== null && isSameAxis(last.head.axis, axis)) return { ...last, plan: null };
    const plan = last === null ? planFirst(axis) : await planForAxis(last, axis, log.lowestStepAfter);
    const { head, cursor } = plan;
    return { head, plan, cursor, shown: new Map(Object.entries(head.shown)), lastStep: head.lastStep };
  };

  const begin = async (plan: FilePlan, seconds: number) => {
    const config = shownConfig(target.spec, redactor);
    const start = sessionStart({ hparams: config, group: run, startTime: seconds });
    await log.begin(plan, seconds, log.last === null ? [configText(config), start] : [configText(config)]);
  };

  const write = async (entries: readonly RecordEntry[]) => {
    let pending: Buffer[] = [];
    let bytes = 0;
    let written: Cursor | null = null;
    const flush = async () => {
      const { shown, lastStep } = place;
      if (written !== null) await log.append(pending, { cursor: written, shown, lastStep, ended: false });
      pending = [];
      bytes = 0;
      written = null;
    };
    for (const entry of entries) {
      const { attempt, record } = entry;
      if (!isOnAxis(place.head.axis, entry)) continue;
      if (record.kind === 'metrics') place.lastStep = Math.max(place.lastStep, record.step);
      const found = boardValues(record, place);
      if (found === null) continue;
      const at = { attempt, n: record.n };
      const { from, purge } = place.head;
      if (purge !== null && !isAfter(at, from) && found.step < purge) continue;
      const seconds = Date.parse(record.time) / 1000;
      if (place.plan !== null) await begin(place.plan, seconds);
      place.plan = null;
      const event = frameEvent(recordEvent({ wallTime: seconds, ...found }, at));
      const { last } = log;
      const isFull = last !== null && last.end + bytes + event.length > maxBytes && last.end + bytes > last.headEnd;
      if (isFull) await flush();
      if (isFull && log.last !== null) await log.begin(planNext(log.last), seconds, []);
      for (const { tag } of found.values) place.shown.set(tag, found.step);
      place.lastStep = Math.max(place.lastStep, found.step);
      pending.push(event);
      bytes += event.length;
      written = at;
    }
    await flush();
  };

  let place = await placeOf(currentAxis());
  return {
    get cursor() {
      return place.cursor;
    },
    async catchUp() {
      for (let more = true; more; ) {
        const axis = currentAxis();
        if (!isSameAxis(place.head.axis, axis)) place = await placeOf(axis);
        const page = await records.since(run, place.cursor, { filter: BOARD_FILTER, limit: PAGE });
        await write(page.entries);
        place.cursor = page.cursor;
        // Records of an attempt that began meanwhile are not on this axis.
        more = page.more || !isSameAxis(axis, currentAxis());
      }
    },
    async end(time) {
      const { last } = log;
      if (last === null || last.ended) return;
      const { cursor, shown, lastStep } = last;
      const seconds = time / 1000;
      const event = endEvent({ wallTime: seconds, step: lastStep, values: [sessionEnd(seconds)] }, cursor);
      await log.append([frameEvent(event)], { cursor, shown, lastStep, ended: true });
    },
  };
}
