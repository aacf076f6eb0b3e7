import { describe, expect, it } from 'vitest';
import { createBackground } from './background.ts';
import type { Step } from './step.ts';

const finish = (run: string): Step => ({ step: 'finishFiles', run });
const end = (run: string): Step => ({ step: 'endAttempt', run, attempt: 1, trainer: null });
const cleanUp = (run: string): Step => ({ step: 'cleanUp', run, attempt: 1, identities: [] });
const untilAborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));

describe('steps in the background', () => {
  it('go on one at a time in their lane: the programs of a run are cleared away beside its files, its attempt is ended alone', () => {
    const background = createBackground();
    background.begin(finish('a'), untilAborted);
    expect([finish('a'), cleanUp('a'), finish('b')].map(background.hasRoom)).toEqual([false, true, true]);
    background.begin(end('b'), untilAborted);
    expect([end('b'), cleanUp('b'), end('c')].map(background.hasRoom)).toEqual([false, false, true]);
  });

  it('are so many of a kind, and leave room for other kinds', () => {
    const background = createBackground();
    let begun = 0;
    while (background.hasRoom(finish(`run-${begun}`))) background.begin(finish(`run-${begun++}`), untilAborted);
    expect(begun).toBe(4);
    expect(background.hasRoom(end('other'))).toBe(true);
    expect(background.hasRoom(cleanUp('other'))).toBe(true);
  });

  it('are as many fetches as there are models: one that waits for its hub is in the way of none', () => {
    const background = createBackground();
    const origin = { kind: 'store', prefix: 'models/a', digest: '0' } as const;
    const fetch = (directory: string): Step => ({ step: 'fetchModel', run: 'a', directory, origin });
    for (const directory of ['1', '2', '3', '4']) background.begin(fetch(directory), untilAborted);
    expect(['4', '5'].map(fetch).map(background.hasRoom)).toEqual([false, true]);
  });

  it('are aborted once they are not planned any more, and make room', async () => {
    const background = createBackground();
    const aborted: string[] = [];
    for (const run of ['a', 'b']) {
      background.begin(finish(run), (signal) => untilAborted(signal).then(() => void aborted.push(run)));
    }
    background.abortAllBut([finish('b'), cleanUp('a')]);
    await expect.poll(() => background.hasRoom(finish('a'))).toBe(true);
    expect(aborted).toEqual(['a']);
    expect(background.hasRoom(finish('b'))).toBe(false);
    await background.close();
    expect(aborted).toEqual(['a', 'b']);
  });
});
