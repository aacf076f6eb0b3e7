import { expect, it } from 'vitest';
import { eightH100 } from '../placement/gpu-map.fixtures.ts';
import { membersOf } from '../placement/gpu-sets.ts';
import { createPlacer } from '../placement/place.ts';
import type { GpuShape } from '../placement/shape.ts';
import { MINUTE, queueState, waiting } from './gpu-queue.fixtures.ts';
import { defaultPolicy, type HoldingRun, type WaitingRun } from './gpu-queue.ts';
import { scheduleGpus } from './schedule-gpus.ts';

const placer = createPlacer(eightH100);
const split = (inference: number, trainer: number): GpuShape => {
  return { mode: 'split', inference, trainer, tensorParallel: Math.max(1, inference), memoryMiB: 0 };
};
const run = (id: string, shape: GpuShape, minute: number, priority: number, estimate: number): WaitingRun => {
  return waiting(id, 0, { shape, priority, queuedAt: minute * MINUTE, estimateMs: estimate * MINUTE });
};

/** Takes a round each minute of a simulated time; runs end as estimated, one that is preempted 2 minutes after it was asked. Tells what happened. */
function simulate(arrivals: readonly WaitingRun[], minutes: number): string[] {
  let [held, queue]: [HoldingRun[], WaitingRun[]] = [[], []];
  const told: string[] = [];
  for (let minute = 0; minute <= minutes; minute++) {
    const now = minute * MINUTE;
    const tell = (what: string) => told.push(`${minute}: ${what}`);
    for (const each of held.filter(({ endsAt }) => endsAt! <= now)) {
      tell(`${each.id} ${each.stopping ? 'saved, back in the queue' : 'finished'}`);
      if (each.stopping) queue.push(arrivals.find(({ id }) => id === each.id)!);
    }
    held = held.filter(({ endsAt }) => endsAt! > now);
    queue = [...queue, ...arrivals.filter(({ queuedAt }) => queuedAt === now)];
    const { starts, preemptions } = scheduleGpus(queueState({ now, holding: held, waiting: queue, placer }));
    for (const { run: id, for: other } of preemptions) tell(`${id} asked to stop for ${other}`);
    const asked = new Set(preemptions.map((each) => each.run));
    held = held.map((each) =>
      asked.has(each.id) ? { ...each, stopping: true, endsAt: now + defaultPolicy.stopMs } : each,
    );
    for (const { run: id, gpus, past } of starts) {
      const { priority, labels, estimateMs } = queue.find((each) => each.id === id)!;
      const endsAt = now + estimateMs!;
      held.push({ id, gpus, priority, labels, startedAt: now, endsAt, preemptible: true, stopping: false });
      tell(`${id} on ${membersOf(gpus).join(',')}${past === null ? '' : ` past ${past}`}`);
    }
    queue = queue.filter((each) => !starts.some(({ run: id }) => id === each.id));
  }
  expect([held, queue]).toEqual([[], []]);
  return told;
}

it('three runs compete for eight GPUs, one preempts, one passes another without delaying it, and all finish', () => {
  const told = simulate(
    [
      run('steady', split(1, 2), 0, 90, 60),
      run('humble', split(2, 2), 1, 10, 90),
      run('urgent', split(2, 2), 20, 80, 30),
      run('whole', split(4, 4), 23, 70, 10),
      run('quick', split(0, 1), 24, 50, 20),
      run('slow', split(0, 1), 24, 50, 40),
    ],
    200,
  );
  expect(told).toEqual([
    '0: steady on 0,1,2',
    '1: humble on 4,5,6,7',
    '20: humble asked to stop for urgent',
    '22: humble saved, back in the queue',
    '22: urgent on 4,5,6,7',
    '24: quick on 3 past whole',
    '44: quick finished',
    '52: urgent finished',
    '60: steady finished',
    '60: whole on 0,1,2,3,4,5,6,7',
    '70: whole finished',
    '70: slow on 0',
    '70: humble on 4,5,6,7',
    '110: slow finished',
    '160: humble finished',
  ]);
});
