import { describe, expect, it } from 'vitest';
import { type CheckpointPurpose, checkpointPurposes, type Manifest } from '../../contracts/checkpoint.ts';
import type { LineageLink } from '../attempts/attempt.store.ts';
import { manifestOf, newest, RUN } from './checkpoint.fixtures.ts';
import { onLineage, resolveName } from './lineage.ts';
import { planRetention, type RetentionVerdict, shownCheckpoints } from './retention.ts';

const alone: LineageLink[] = [{ run: RUN, attempt: 1, upToStep: null }];
const resumed: LineageLink[] = [
  { run: RUN, attempt: 2, upToStep: null },
  { run: RUN, attempt: 1, upToStep: 30 },
];
const save = (step: number, purposes: CheckpointPurpose[] = ['step'], attempt = 1) =>
  manifestOf(RUN, attempt, step, purposes);
const plan = (
  manifests: Manifest[],
  limit: number,
  lineage = alone,
  protect: { run: string; attempt: number; step: number }[] = [],
) => {
  const { keep, remove } = planRetention({ run: RUN, manifests, lineage, ...newest(limit), protect, pinned: [] });
  const label = ({ manifest: { attempt, step } }: RetentionVerdict) => `a${attempt}/${step}`;
  return { keep: keep.map(label), remove: remove.map(label) };
};

describe('planRetention', () => {
  it('keeps the newest so many, and lets the oldest go first', () => {
    expect(
      plan(
        [10, 20, 30, 40, 50].map((step) => save(step)),
        2,
      ),
    ).toEqual({
      keep: ['a1/40', 'a1/50'],
      remove: ['a1/10', 'a1/20', 'a1/30'],
    });
  });

  it('keeps the best and the final one besides, and no earlier best', () => {
    const saved = [save(10, ['step', 'best']), save(20, ['step', 'best']), save(30), save(40), save(45, ['final'])];
    expect(plan(saved, 2)).toEqual({ keep: ['a1/20', 'a1/30', 'a1/40', 'a1/45'], remove: ['a1/10'] });
  });

  it('counts a save on request like one for its step', () => {
    expect(plan([save(10), save(13, ['stop']), save(20)], 2).keep).toEqual(['a1/13', 'a1/20']);
  });

  it('does not count the best one against the limit when it was saved as nothing else', () => {
    expect(plan([save(10), save(15, ['best']), save(20)], 2).remove).toEqual([]);
  });

  it('lets those go first that a resume has left behind, and keeps them only while there is room', () => {
    const saved = [10, 20, 30, 40, 50].map((step) => save(step)).concat([40].map((step) => save(step, ['step'], 2)));
    expect(plan(saved, 5, resumed).remove).toEqual(['a1/40']);
    expect(plan(saved, 4, resumed).remove).toEqual(['a1/40', 'a1/50']);
    expect(plan(saved, 2, resumed).remove).toEqual(['a1/40', 'a1/50', 'a1/10', 'a1/20']);
  });

  it('never touches what is protected, nor another run', () => {
    const other = manifestOf('run-bbbbbbbb', 1, 10);
    const saved = [other, save(10), save(20), save(30)];
    const { keep, remove } = plan(saved, 1, alone, [{ run: RUN, attempt: 1, step: 10 }]);
    expect({ keep, remove }).toEqual({ keep: ['a1/10', 'a1/30'], remove: ['a1/20'] });
  });

  it('holds its promises for random histories', () => {
    let seed = 11;
    const random = (below: number) => {
      seed = (seed * 1103515245 + 12345) % 2147483648;
      return Math.floor((seed / 2147483648) * below);
    };
    for (let round = 0; round < 500; round++) {
      const manifests = Array.from({ length: random(14) }, (_, index) => {
        const purposes = checkpointPurposes.filter(() => random(3) === 0);
        return save((index + 1) * 10, purposes.length === 0 ? ['step'] : purposes, 1 + random(2));
      });
      const lineage = random(2)
        ? alone
        : [
            { run: RUN, attempt: 2, upToStep: null },
            { run: RUN, attempt: 1, upToStep: 10 * random(14) },
          ];
      const limit = 1 + random(4);
      const protect = manifests.filter(() => random(6) === 0);
      const rest = { run: RUN, lineage, ...newest(limit), protect, pinned: [] };
      const planned = planRetention({ ...rest, manifests });
      const keep = planned.keep.map(({ manifest }) => manifest);
      const remove = planned.remove.map(({ manifest }) => manifest);
      const context = { run: RUN, manifests, lineage };
      expect(keep.length + remove.length).toBe(manifests.length);
      expect(keep.filter((manifest) => remove.includes(manifest))).toEqual([]);
      for (const name of ['latest', 'best', 'final']) {
        const target = resolveName(name, context);
        if (target !== undefined) expect(keep).toContain(target);
      }
      for (const manifest of protect) expect(keep).toContain(manifest);
      const shown = shownCheckpoints({ ...context, limit });
      for (const manifest of shown) expect(keep).toContain(manifest);
      expect(shown.length).toBeLessThanOrEqual(limit);
      const named = ['latest', 'best', 'final'].map((name) => resolveName(name, context));
      const counted = keep.filter((manifest) => !named.includes(manifest) && !protect.includes(manifest));
      expect(counted.length).toBeLessThanOrEqual(limit);
      const line = onLineage(manifests, lineage);
      const firstKeptAside = keep.find((manifest) => !line.includes(manifest) && !protect.includes(manifest));
      const lostSteps = line.filter((manifest) => remove.includes(manifest) && manifest.purposes.includes('step'));
      if (firstKeptAside !== undefined) expect(lostSteps).toEqual([]);
      // What stays is stable: planning again removes nothing more.
      expect(planRetention({ ...rest, manifests: keep }).remove).toEqual([]);
    }
  });
});
