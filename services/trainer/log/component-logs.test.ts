import { expect, test } from 'vitest';
import { type RecordBody, recordSchema } from '../../contracts/record.ts';
import { createComponentLogs } from './component-logs.ts';

const levels = { training: 'INFO', rollout: 'INFO', eval: 'ERROR', performance: 'INFO' } as const;

test('a message of 10 MB becomes a record that is taken, with its beginning and how much is left out', () => {
  const written: RecordBody[] = [];
  const logs = createComponentLogs({ write: (record) => written.push(record), levels: () => levels });
  logs.training.info(`begins ${'x'.repeat(10_000_000)}`);
  const [record] = written;
  expect(recordSchema.safeParse({ ...record, n: 1, time: '2026-11-20T09:00:00.000Z' }).success).toBe(true);
  const { message } = record as { message: string };
  expect(message).toMatch(/^begins x+ \.\.\. \d+ characters are left out$/);
  const kept = message.indexOf(' ... ');
  expect(kept + Number(/ (\d+) characters/.exec(message)?.[1])).toBe(10_000_007);
});

test('a change of levels applies to the next line', () => {
  const written: string[] = [];
  let now: Parameters<typeof createComponentLogs>[0]['levels'] extends () => infer L ? L : never = { ...levels };
  const logs = createComponentLogs({
    write: (record) => void (record.kind === 'log' && written.push(record.message)),
    levels: () => now,
  });
  logs.performance.info('told');
  now = { ...levels, performance: 'WARNING' };
  logs.performance.info('not told');
  logs.eval.warning('not told either');
  expect(written).toEqual(['told']);
});
