import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Run } from '../../services/contracts/run.ts';
import { finalState } from './final-state.ts';
import { makeSmallRuns, type SmallRuns } from './small-runs.ts';
import { seededRandom } from './storm.ts';
import { atRest, ended, pidOf, type Tandem } from './tandem.ts';

const seed = Number(process.env['TANDEM_TEST_SEED'] ?? Date.now() % 100_000);
/** Runs that are tried until one was killed with a checkpoint to resume from; the machine's clock may let one end first. */
const MOST_RUNS = 4;

/**
 * Runs that are killed and resumed through a store end as undisturbed ones do. Scope of the claim (DESIGN 4.11): embedded server and wasm engine,
 * same machine type and versions, synchronous mode.
 * @param kills of each run, at the most; the last one comes only when there is a checkpoint
 * @param all false: one run of each method, enough where a store is to be proved and not the methods
 */
export function describeExactResume(
  store: string,
  { kills, all = true }: { kills: number; all?: boolean },
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

  describe(`a run that was killed at random steps and resumed from ${store} ends with the same bytes as one never interrupted (seed ${seed})`, () => {
    const specs: Record<string, () => object> = {
      'SFT, full weights, linear after a warm-up': () => small.sft(),
      'SFT, LoRA with dropout, cosine': () => ({
        ...small.sft({ lr_scheduler_type: 'cosine', warmup_steps: 0 }),
        model: { name: small.model, max_seq_length: 64, lora: { r: 4, alpha: 8, dropout: 0.1 } },
      }),
      'DPO, LoRA, cosine after a warm-up': () =>
        small.dpo({ max_steps: 40, lr_scheduler_type: 'cosine', warmup_ratio: 0.1, eval_steps: 10 }),
      'GRPO, LoRA with a KL term, linear after a warm-up': () =>
        small.grpo({ max_steps: 40, lr_scheduler_type: 'linear', warmup_steps: 5 }, { grpo: { kl_coef: 0.02 } }),
      'GRPO, QLoRA with dropout and a KL term': () =>
        small.grpo(
          { max_steps: 40 },
          {
            model: { name: small.model, use_4bit: true, max_seq_length: 64, lora: { r: 4, alpha: 8, dropout: 0.1 } },
            grpo: { kl_coef: 0.02 },
          },
        ),
      'GRPO, full weights, constant': () =>
        small.grpo(
          { max_steps: 40, learning_rate: 1e-3 },
          { model: { name: small.model, use_lora: false, max_seq_length: 64 } },
        ),
    };
    const methods = new Set<string>();
    for (const [index, [name, spec]] of Object.entries(specs).entries()) {
      const method = name.slice(0, name.indexOf(','));
      if (methods.has(method) && !all) continue;
      methods.add(method);
      // Numbers of its own: the choices are the same when one test is run alone.
      test(name, () => compare(tandem, { kills, spec: spec(), random: seededRandom(seed + index) }));
    }
  });
}

async function compare(
  tandem: Tandem,
  { kills, spec, random }: { kills: number; spec: object; random: () => number },
): Promise<void> {
  const straight = await tandem.untilSucceeded((await tandem.post<Run>('/runs', spec)).id);
  const wanted = await finalState(tandem, straight.id);
  for (let tried = 1; tried <= MOST_RUNS; tried++) {
    const points = killPoints(kills, straight.progress!.total_steps, random);
    const { id } = await tandem.post<Run>('/runs', spec);
    for (const [index, at] of points.entries()) {
      if (!(await killAt(tandem, { id, at, attempt: index + 1, last: index === points.length - 1 }))) break;
      await tandem.post(`/runs/${id}/resume`, { from: 'latest' });
    }
    const { attempts } = await tandem.untilSucceeded(id, 240);
    // The inference server must not outlive the control plane that ends it.
    await tandem.until(id, atRest);
    const resumed = attempts.map(({ resumed_step }) => resumed_step);
    expect(await finalState(tandem, id), `kills at ${points}, resumed at ${resumed}`).toEqual(wanted);
    if (resumed.some((step) => step !== null && step > 0)) return;
  }
  throw new Error(`none of ${MOST_RUNS} runs was resumed from a checkpoint: each ended before it was killed`);
}

/** Ascending, from the whole run. */
function killPoints(kills: number, total: number, random: () => number): number[] {
  return Array.from({ length: kills }, () => 1 + Math.floor(random() * (total - 1))).sort((a, b) => a - b);
}

/** Kills the trainer when it is at a step and, for the last time, something is there to resume from; false when the run ended before. */
async function killAt(
  tandem: Tandem,
  { id, at, attempt, last }: { id: string; at: number; attempt: number; last: boolean },
): Promise<boolean> {
  // The progress that is shown is that of the attempt before until the new one reports.
  const trains = (run: Run) => run.attempts.length >= attempt && run.status === 'running';
  let run = await tandem.until(id, (run) => ended(run) || (trains(run) && (run.progress?.step ?? 0) >= at));
  while (last && !ended(run) && (await tandem.checkpoints(id)).length === 0) {
    await sleep(25);
    run = await tandem.run(id);
  }
  if (ended(run) || !killed(pidOf(run, 'trainer'))) return false;
  const failed = await tandem.until(id, ended);
  // Whoever is this quick has ended before the signal.
  if (failed.status === 'succeeded') return false;
  expect(failed).toMatchObject({ status: 'failed', reason: 'trainer_killed' });
  return true;
}

function killed(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGKILL');
  } catch {
    return false;
  }
}
