import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readBoard } from './read-board.fixture.ts';
import { writeResumedTwice } from './resumed-twice.fixture.ts';

/** What TensorBoard itself has read (test/golden/tensorboard/read_board.py). */
interface Golden {
  scalars: Record<string, [step: number, wallTime: number, value: string][]>;
  texts: Record<string, [step: number, text: string][]>;
}

const path = join(import.meta.dirname, '../../../../test/golden/tensorboard/golden.json');
const golden = JSON.parse(readFileSync(path, 'utf8')) as Golden;

it('a run that was resumed twice shows what TensorBoard has shown of it, and each step once', async () => {
  const { directory, close } = await writeResumedTwice();
  const board = readBoard(directory);
  close();
  const scalars = Object.entries(golden.scalars).map(([tag, points]) => {
    return [tag, points.map(([step, wallTime, value]) => ({ step, wallTime, value: Number(value) }))] as const;
  });
  for (const [tag, points] of scalars) expect(board.get(tag), tag).toEqual(points);
  expect(golden.scalars['train/loss']?.map(([step]) => step)).toEqual(
    Array.from({ length: 30 }, (_, index) => index + 1),
  );
  for (const [tag, points] of Object.entries(golden.texts)) {
    expect(
      board.get(tag)?.map(({ step, value }) => [step, String(value).replaceAll('\\', '')]),
      tag,
    ).toEqual(points);
  }
});
