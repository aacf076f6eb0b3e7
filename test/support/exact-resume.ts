import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Run } from '../../services/contracts/run.ts';
import { finalState } from './final-state.ts';
import { makeSmallRuns, type SmallRuns } from './small-runs.ts';
import { ended, pidOf, type Tandem } from './tandem.ts';

/**
 * Runs that are killed and resumed through a store end as undisturbed ones do. Scope of the claim (DESIGN 4.11): embedded server and wasm engine,
 * same machine type and versions, synchronous mode.
 * @param kills of each run, at the most
 */
export function describeExactResume(
  store: string,
  kills: number,
  start: () => Promise<{ tandem: Tandem; dispose: () => Promise<void> }>,
): void {
  let tandem: Tandem;
  let dispose: () => Promise<void>;
  let small: SmallRuns;

  beforeAll(async () => {
    ({ tandem, dispose } = await start());
    small = await makeSmallRuns(tandem);
  });
  afterAll(() => dispose?.());

  describe(`a run that was killed at random steps and resumed from ${store} ends with the same bytes as one never interrupted`, () => {
    test('SFT, full weights', () => compare(tandem, kills, small.sft()));
    test('SFT, LoRA with dropout', () =>
      compare(tandem, kills, {
        ...small.sft(),
        model: { name: small.model, max_seq_length: 64, lora: { r: 4, alpha: 8, dropout: 0.1 } },
      }));
    test('GRPO, LoRA with a KL term', () =>
      compare(tandem, kills, small.grpo({ max_steps: 40 }, { grpo: { kl_coef: 0.02 } })));
    test('GRPO, full weights', () =>
      compare(
        tandem,
        kills,
        small.grpo(
          { max_steps: 40, learning_rate: 1e-3 },
          { model: { name: small.model, use_lora: false, max_seq_length: 64 } },
        ),
      ));
  });
}

async function compare(tandem: Tandem, kills: number, spec: object): Promise<void> {
  const straight = await tandem.untilSucceeded((await tandem.post<Run>('/runs', spec)).id);
  const interrupted = (await tandem.post<Run>('/runs', spec)).id;
  const total = straight.progress!.total_steps;
  for (let kill = 0, from = 1; kill < kills && from < total - 2; kill++) {
    const at = from + Math.floor(Math.random() * Math.max(1, (total - from) / 3));
    // The progress that is shown is that of the attempt before until the new one reports.
    const trains = (run: Run) => run.attempts.length > kill && run.status === 'running';
    const run = await tandem.until(
      interrupted,
      (run) => ended(run) || (trains(run) && (run.progress?.step ?? 0) >= at),
    );
    if (ended(run)) break;
    // Whoever is this quick has ended before the signal; the kills before it count.
    if (!killed(pidOf(run, 'trainer'))) break;
    const failed = await tandem.until(interrupted, ended);
    expect(failed).toMatchObject({ status: 'failed', reason: 'trainer_killed' });
    await tandem.post(`/runs/${interrupted}/resume`, { from: 'latest' });
    from = at + 1;
  }
  const resumed = await tandem.untilSucceeded(interrupted, 240);
  expect(resumed.attempts.length).toBeGreaterThan(1);
  expect(await finalState(tandem, interrupted)).toEqual(await finalState(tandem, straight.id));
}

function killed(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGKILL');
  } catch {
    return false;
  }
}
