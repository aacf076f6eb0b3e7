import { describe, expect, it } from 'vitest';
import { manifestOf, RUN } from './checkpoint.fixtures.ts';
import { lineageOf, onLineage, resolveName } from './lineage.ts';

const link = (attempt: number, upToStep: number | null, run = RUN) => ({ run, attempt, upToStep });
const labels = (manifests: readonly { attempt: number; step: number }[]) =>
  manifests.map(({ attempt, step }) => `a${attempt}/${step}`);

/** a1 saved 10..50, a2 was resumed from a1's 30 and saved 40 and 50. */
const manifests = [10, 20, 30, 40, 50]
  .map((step) => manifestOf(RUN, 1, step))
  .concat([40, 50].map((step) => manifestOf(RUN, 2, step)));
const lineage = [link(2, null), link(1, 30)];

describe('onLineage', () => {
  it('takes what the current attempt saved, then what it descends from, newest first', () => {
    expect(labels(onLineage(manifests, lineage))).toEqual(['a2/50', 'a2/40', 'a1/30', 'a1/20', 'a1/10']);
  });

  it('never shows a checkpoint beyond the step that was resumed, for random histories', () => {
    let seed = 3;
    const random = (below: number) => {
      seed = (seed * 1103515245 + 12345) % 2147483648;
      return Math.floor((seed / 2147483648) * below);
    };
    for (let round = 0; round < 300; round++) {
      const attempts: { from: number | null; step: number; end: number }[] = [];
      for (let number = 1; number <= 1 + random(6); number++) {
        const from = number === 1 || random(4) === 0 ? null : 1 + random(number - 1);
        const parent = from === null ? undefined : attempts[from - 1];
        const step = parent === undefined ? 0 : parent.step + 10 * random((parent.end - parent.step) / 10 + 1);
        attempts.push({ from, step, end: step + 10 * random(5) });
      }
      const saved = attempts.flatMap(({ step, end }, index) =>
        Array.from({ length: (end - step) / 10 }, (_, nth) => manifestOf(RUN, index + 1, step + 10 * (nth + 1))),
      );
      const last = attempts.length;
      const chain = lineageOf({ run: RUN, attempt: last, step: Number.MAX_SAFE_INTEGER }, (_run, number) => {
        const from = attempts[number - 1]?.from ?? null;
        return {
          resumed_run: from === null ? null : RUN,
          resumed_attempt: from,
          resumed_step: attempts[number - 1]?.step ?? null,
        };
      });
      const shown = onLineage(saved, chain);
      const steps = shown.map(({ step }) => step);
      expect(steps).toEqual([...steps].sort((a, b) => b - a));
      expect(new Set(steps).size).toBe(steps.length);
      for (const [index, { attempt, step }] of shown.entries()) {
        const newer = shown.slice(0, index).find((each) => each.attempt !== attempt);
        if (newer !== undefined) expect(step).toBeLessThanOrEqual(attempts[newer.attempt - 1]?.step ?? 0);
      }
      expect(resolveName('latest', { run: RUN, manifests: saved, lineage: chain })).toBe(shown[0]);
    }
  });
});

describe('resolveName', () => {
  const find = (name: string, given = manifests, line = lineage) => {
    const found = resolveName(name, { run: RUN, manifests: given, lineage: line });
    return found && `${found.run === RUN ? '' : `${found.run}/`}a${found.attempt}/${found.step}`;
  };

  it.each([
    ['latest', 'a2/50'],
    ['checkpoint-30', 'a1/30'],
    ['checkpoint-40', 'a2/40'],
    ['a1/checkpoint-40', 'a1/40'],
    ['a1/checkpoint-50', 'a1/50'],
    ['checkpoint-60', undefined],
    ['a3/checkpoint-10', undefined],
    ['best', undefined],
    ['final', undefined],
    ['nonsense', undefined],
    ['../a1/checkpoint-10', undefined],
  ])('takes %s for %s', (name, expected) => {
    expect(find(name)).toBe(expected);
  });

  it('falls back to what was resumed from while the current attempt has saved nothing', () => {
    expect(find('latest', manifests, [link(3, null), ...lineage.slice(1)])).toBe('a1/30');
    expect(find('latest', [], lineage)).toBeUndefined();
  });

  it('takes the newest best and final on the lineage, not those that were left behind', () => {
    const marked = [
      manifestOf(RUN, 1, 10, ['step', 'best']),
      manifestOf(RUN, 1, 20, ['best']),
      manifestOf(RUN, 1, 50, ['best', 'final']),
      manifestOf(RUN, 2, 40, ['final']),
    ];
    expect(find('best', marked)).toBe('a1/20');
    expect(find('final', marked)).toBe('a2/40');
  });

  it('takes the earlier of two equally good ones for the best', () => {
    const best = (step: number, best_metric: number | null) => manifestOf(RUN, 1, step, ['best'], { best_metric });
    const alone = [link(1, null)];
    expect(find('best', [best(10, 0.5), best(20, 0.7), best(30, 0.7)], alone)).toBe('a1/20');
    expect(find('best', [best(10, 0.7), best(20, 0.7)], alone)).toBe('a1/10');
    expect(find('best', [best(10, null), best(20, null)], alone)).toBe('a1/20');
  });

  it('reaches across a fork into the parent run', () => {
    const parent = 'run-bbbbbbbb';
    const given = [manifestOf(parent, 1, 10, ['step', 'best']), manifestOf(parent, 1, 20), manifestOf(RUN, 1, 30)];
    const line = [link(1, null), link(1, 10, parent)];
    expect(find('latest', given, line)).toBe('a1/30');
    expect(find('best', given, line)).toBe(`${parent}/a1/10`);
    expect(find('checkpoint-20', given, line)).toBeUndefined();
    expect(find('a1/checkpoint-10', given, line)).toBeUndefined();
  });
});
