import type { RecordService } from '../records/record.service.ts';
import type { Sink } from './sink.ts';

/** How far the sinks of open runs are. */
export interface SinkMeter {
  /** The same sink, whose progress is known from now on as one of `kind`. */
  watch(run: string, kind: string, sink: Sink): Sink;
  /** Of a run whose sinks have ended. */
  forget(run: string): void;
  /** By kind: records that have yet to be taken in, over all sinks that are called for records, and how many sinks failed at their last try. */
  read(): { sink: string; records: number; failing: number }[];
}

interface Progress {
  readonly kind: string;
  /** Records of the run that it has seen. */
  taken: number;
  /** false where only checkpoints give it work: it is never behind with records. */
  readonly takesRecords: boolean;
  failing: boolean;
}

export function createSinkMeter({ records }: { records: Pick<RecordService, 'count'> }): SinkMeter {
  const open = new Map<string, Progress[]>();
  return {
    watch(run, kind, sink) {
      const takesRecords = sink.wakesOn.includes('records') || sink.everyMs !== undefined;
      const progress: Progress = { kind, taken: 0, takesRecords, failing: false };
      open.set(run, [...(open.get(run) ?? []), progress]);
      return {
        ...sink,
        async catchUp(final, signal) {
          const seen = records.count(run);
          try {
            await sink.catchUp(final, signal);
            Object.assign(progress, { taken: seen, failing: false });
          } catch (error) {
            progress.failing = !signal.aborted;
            throw error;
          }
        },
      };
    },
    forget: (run) => void open.delete(run),
    read() {
      const kinds = new Map<string, { sink: string; records: number; failing: number }>();
      for (const [run, sinks] of open) {
        const count = records.count(run);
        for (const { kind, taken, takesRecords, failing } of sinks) {
          const sum = kinds.get(kind) ?? { sink: kind, records: 0, failing: 0 };
          sum.records += takesRecords ? Math.max(0, count - taken) : 0;
          sum.failing += failing ? 1 : 0;
          kinds.set(kind, sum);
        }
      }
      return [...kinds.values()];
    },
  };
}
