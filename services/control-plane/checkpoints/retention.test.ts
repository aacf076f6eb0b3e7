import { describe, expect, it } from 'vitest';
import { type CheckpointPurpose, checkpointPurposes, type Manifest } from '../../contracts/checkpoint.ts';
import type { LineageLink } from '../attempts/attempt.store.ts';
import { manifestOf, newest, RUN } from './checkpoint.fixtures.ts';
import { onLineage, resolveName } from './lineage.ts';
import { planRetention, type RetentionRules, type RetentionVerdict, shownCheckpoints } from './retention.ts';

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
    const random = randomFrom(11);
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

  it('keeps the best so many of those saved as best, of equal ones the earlier step', () => {
    const saved = [0.1, 0.3, 0.3, 0.5, 0.5, 0.7].map((best_metric, at) =>
      manifestOf(RUN, 1, (at + 1) * 10, ['best'], { best_metric }),
    );
    const kept = (keepBest: number) =>
      planRetention({
        run: RUN,
        manifests: saved,
        lineage: alone,
        rules: { limit: 1, keepBest, keepEvery: null },
        protect: [],
        pinned: [],
      }).keep.map(({ manifest, why }) => `${manifest.step}: ${why}`);
    expect(kept(1)).toEqual(['60: the newest (latest); the best (best)']);
    expect(kept(3)).toEqual([
      '20: among the 3 best (checkpoint.keep_best)',
      '40: among the 3 best (checkpoint.keep_best)',
      '60: the newest (latest); the best (best)',
    ]);
    expect(kept(9).map((text) => text.slice(0, 2))).toEqual(['10', '20', '40', '60']);
  });

  it('says of each checkpoint by which rules it stays, or that none keeps it', () => {
    const saved = [save(10), save(20), save(30), save(35, ['final']), save(40, ['step'], 2)];
    const rules = { limit: 1, keepBest: 1, keepEvery: 20 };
    const { keep, remove } = planRetention({
      run: RUN,
      manifests: saved,
      lineage: alone,
      rules,
      protect: [{ run: RUN, attempt: 1, step: 30 }],
      pinned: [{ run: RUN, attempt: 1, step: 30 }],
    });
    expect(Object.fromEntries([...keep, ...remove].map(({ manifest, why }) => [manifest.step, why]))).toEqual({
      10: 'not among the newest 1 (save_total_limit), and no other rule keeps it',
      20: 'step is a multiple of 20 (checkpoint.keep_every)',
      30: 'pinned; a run starts or resumes from it, or a fork has it as its latest or best; among the newest 1 (save_total_limit)',
      35: 'the newest (latest); the final one (final)',
      40: 'step is a multiple of 20 (checkpoint.keep_every)',
    });
  });

  it('keeps exactly what the rules say, one by one, for random histories', () => {
    const random = randomFrom(29);
    let removed = 0;
    for (let round = 0; round < 1000; round++) {
      const manifests = Array.from({ length: random(16) }, (_, index) => {
        const purposes = checkpointPurposes.filter(() => random(3) === 0);
        const best_metric = random(4) === 0 ? null : random(3) / 2;
        return manifestOf(RUN, 1 + random(2), (index + 1) * 5, purposes.length === 0 ? ['step'] : purposes, {
          best_metric,
        });
      });
      const lineage = random(2)
        ? alone
        : [
            { run: RUN, attempt: 2, upToStep: null },
            { run: RUN, attempt: 1, upToStep: 5 * random(16) },
          ];
      const rules = {
        limit: 1 + random(4),
        keepBest: 1 + random(3),
        keepEvery: random(2) ? null : 5 * (1 + random(4)),
      };
      const protect = manifests.filter(() => random(8) === 0);
      const pinned = manifests.filter(() => random(8) === 0);
      const { keep, remove } = planRetention({ run: RUN, manifests, lineage, rules, protect, pinned });
      const expected = keptOneByOne({ manifests, lineage, rules, chosen: [...protect, ...pinned] });
      expect(new Set(keep.map(({ manifest }) => manifest))).toEqual(expected);
      expect(keep.length + remove.length).toBe(manifests.length);
      for (const { why } of [...keep, ...remove]) expect(why).not.toBe('');
      removed += remove.length;
    }
    expect(removed).toBeGreaterThan(1000);
  });
});

function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return Math.floor((state / 2147483648) * below);
  };
}

/** The rules again, each by itself and without care for time: what stays is what any of them names. */
function keptOneByOne({
  manifests,
  lineage,
  rules,
  chosen,
}: {
  manifests: Manifest[];
  lineage: LineageLink[];
  rules: RetentionRules;
  chosen: Manifest[];
}): Set<Manifest> {
  const place = ({ attempt, step }: Manifest) =>
    lineage.findIndex((link) => link.attempt === attempt && (link.upToStep === null || step <= link.upToStep));
  const onLine = manifests.filter((manifest) => place(manifest) >= 0);
  const oldestFirst = onLine.toSorted((a, b) => place(b) - place(a) || a.step - b.step);
  const kept = new Set(chosen);
  const newest = oldestFirst.at(-1);
  if (newest !== undefined) kept.add(newest);
  const final = oldestFirst.findLast(({ purposes }) => purposes.includes('final'));
  if (final !== undefined) kept.add(final);
  const bests: Manifest[] = [];
  for (const manifest of oldestFirst.filter(({ purposes }) => purposes.includes('best'))) {
    const before = bests.at(-1);
    const tie = before !== undefined && before.best_metric !== null && before.best_metric === manifest.best_metric;
    if (!tie) bests.push(manifest);
  }
  for (const manifest of bests.slice(-rules.keepBest)) kept.add(manifest);
  const steps = oldestFirst.filter(({ purposes }) => purposes.includes('step') || purposes.includes('stop'));
  for (const manifest of steps.slice(-rules.limit)) kept.add(manifest);
  const room = Math.max(0, rules.limit - steps.length);
  const leftBehind = manifests.filter((manifest) => place(manifest) < 0);
  const youngestFirst = leftBehind.toSorted((a, b) => (a.created_at < b.created_at ? 1 : -1));
  for (const manifest of youngestFirst.slice(0, room)) kept.add(manifest);
  for (const manifest of manifests)
    if (rules.keepEvery !== null && manifest.step % rules.keepEvery === 0) kept.add(manifest);
  return kept;
}
