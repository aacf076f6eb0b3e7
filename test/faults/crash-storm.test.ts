import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RunEvent } from '../../services/contracts/event.ts';
import type { Run } from '../../services/contracts/run.ts';
import { finalState } from '../support/final-state.ts';
import type { RoleProcess } from '../support/processes.ts';
import { makeSmallRuns, type SmallRuns } from '../support/small-runs.ts';
import { endlessRecovery, recoveryTimes, type StormResult, seededRandom, storm } from '../support/storm.ts';
import { ended, startTandem, type Tandem } from '../support/tandem.ts';
import { expectAllKept, expectWholeCheckpoints } from '../support/what-is-kept.ts';

const full = process.env['TANDEM_TEST_FULL'] === '1';
const kills = Number(process.env['TANDEM_TEST_KILLS'] ?? (full ? 1000 : 12));
const seed = Number(process.env['TANDEM_TEST_SEED'] ?? Date.now() % 100_000);
/** What a kill takes on average with the run that follows it, generously. */
const SECONDS_PER_KILL = 12;

let tandem: Tandem;
let small: SmallRuns;

beforeEach(async () => {
  // What a killed trainer leaves of an upload goes with its attempt, so that nothing else may be left.
  tandem = await startTandem({ TANDEM_SLOTS: '2', TANDEM_SWEEP_GRACE: '0' });
  small = await makeSmallRuns(tandem);
});
afterEach(() => tandem?.dispose());

test(
  `after ${kills} kills at random moments no run is lost or started twice, no exit code is lost, and every run ends with the bytes of an undisturbed one`,
  { timeout: 300_000 + kills * SECONDS_PER_KILL * 1000 },
  async () => {
    const specs = [
      { ...small.sft({ max_steps: 40, save_steps: 4, eval_steps: 10 }), ...endlessRecovery },
      small.grpo({ max_steps: 8, save_steps: 2 }, endlessRecovery),
    ];
    const straight: Run[] = [];
    for (const spec of specs) straight.push(await tandem.post<Run>('/runs', spec));
    for (const { id } of straight) await tandem.until(id, ended);
    const wanted = await Promise.all(straight.map(({ id }) => finalState(tandem, id)));

    const startedAt = Date.now();
    const result = await storm({ tandem, specs, kills, open: 3, random: seededRandom(seed), longestPauseMs: 1500 });
    const wallMs = Date.now() - startedAt;

    const { runs } = await tandem.get<{ runs: { id: string }[] }>('/runs?limit=1000');
    expect(runs.map(({ id }) => id).sort()).toEqual([...straight.map(({ id }) => id), ...result.ids].sort());
    const events = new Map<string, RunEvent[]>();
    for (const [i, id] of result.ids.entries()) {
      const run = await expectAllKept(tandem, id);
      expect(run, run.message).toMatchObject({ status: 'succeeded', reason: 'completed' });
      expect(await finalState(tandem, id), `${id}, seed ${seed}`).toEqual(wanted[i % specs.length]);
      events.set(id, await tandem.events(id));
    }
    expectNobodyStartedTwice(result);
    expectExitCodes(result, events);
    expect(existsSync(join(tandem.home, 'work')) ? readdirSync(join(tandem.home, 'work')) : []).toEqual([]);
    expect(expectWholeCheckpoints(join(tandem.home, 'objects'), true)).toBeGreaterThan(0);
    report(result, recoveryTimes(result, events), wallMs);
  },
);

/** One trainer for an attempt, ever; one inference server at a time is what the exit codes show. */
function expectNobodyStartedTwice({ seen }: StormResult): void {
  const trainers = seen.filter(({ role }) => role === 'trainer').map(({ run, attempt }) => `${run}.a${attempt}`);
  expect([...trainers].sort()).toEqual([...new Set(trainers)].sort());
}

/** Who was killed is known as killed, unless it had ended by itself an instant before; and every program's end is known. */
function expectExitCodes({ kills: all, seen }: StormResult, events: ReadonlyMap<string, readonly RunEvent[]>): void {
  const ends = new Map(
    [...events].flatMap(([run, each]) =>
      each
        .filter(({ name }) => name === 'role_exited')
        .map(({ attempt, data }): [string, unknown] => [`${run}.a${attempt} ${data['pid']}`, data['exit_code']]),
    ),
  );
  const codeOf = ({ run, attempt, pid }: RoleProcess) => ends.get(`${run}.a${attempt} ${pid}`);
  for (const each of seen) expect(codeOf(each), JSON.stringify(each)).toBeTypeOf('number');
  const codes = all.flatMap(({ process: victim }) => (victim === null ? [] : [codeOf(victim)]));
  expect(codes.filter((code) => code !== 137 && code !== 0)).toEqual([]);
  expect(codes.filter((code) => code === 137).length).toBeGreaterThanOrEqual(codes.length * 0.9);
}

function report({ kills: all, ids, seen }: StormResult, times: number[], wallMs: number): void {
  const of = (victim: string) => all.filter((kill) => kill.victim === victim).length;
  const ready = all.flatMap(({ readyMs }) => (readyMs === null ? [] : [readyMs]));
  process.stdout.write(
    `crash storm, seed ${seed}: ${all.length} kills (control plane ${of('control plane')}, trainer ${of('trainer')}, ` +
      `inference ${of('inference')}), ${ids.length} runs, ${seen.length} programs started, ${Math.round(wallMs / 1000)} s; ` +
      `recovery of a program ${spread(times)}, of the control plane ${spread(ready)}\n`,
  );
}

function spread(milliseconds: number[]): string {
  const sorted = [...milliseconds].sort((a, b) => a - b);
  const at = (share: number) => `${((sorted[Math.floor(share * (sorted.length - 1))] ?? 0) / 1000).toFixed(1)} s`;
  return `p50 ${at(0.5)}, max ${at(1)} (${sorted.length})`;
}
