import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Run, RunSummary } from '../../services/contracts/run.ts';
import { roleProcesses } from '../support/processes.ts';
import { makeSmallRuns } from '../support/small-runs.ts';
import { endlessRecovery, seededRandom, untilNothingRuns } from '../support/storm.ts';
import { ended, startTandem, type Tandem } from '../support/tandem.ts';
import { filesBelow } from '../support/what-is-kept.ts';

const full = process.env['TANDEM_TEST_FULL'] === '1';
const wanted = Number(process.env['TANDEM_TEST_RUNS'] ?? 200);
/** Ended runs that are kept; older ones are deleted, so that what stays is bounded. */
const KEPT = 5;
const OPEN = 3;
const SECONDS_PER_RUN = 30;

interface Sample {
  rssMiB: number;
  handles: number;
  files: number;
  databaseMiB: number;
  /** How long `/healthz` takes: what is computed in one piece holds it up. */
  healthMs: number;
}

/** How much more the last quarter may show than the second one, as a factor and beside it as a number. */
const allowed: Record<keyof Sample, { factor: number; more: number }> = {
  rssMiB: { factor: 1.25, more: 20 },
  handles: { factor: 1, more: 12 },
  files: { factor: 1.2, more: 40 },
  databaseMiB: { factor: 1.5, more: 4 },
  healthMs: { factor: 2, more: 20 },
};

/** Medians say nothing of a single stall. */
const LONGEST_MS = 1000;

let tandem: Tandem;
beforeEach(async () => {
  tandem = await startTandem({ TANDEM_SLOTS: '2', TANDEM_SWEEP_GRACE: '0' });
});
afterEach(() => tandem?.dispose());

test.runIf(full)(
  `${wanted} small runs back to back under faults all succeed, and the control plane's memory, handles, files and answering time stay flat`,
  { timeout: 120_000 + wanted * SECONDS_PER_RUN * 1000 },
  async () => {
    const small = await makeSmallRuns(tandem);
    const specs = [
      { ...small.sft({ max_steps: 20, save_steps: 5, eval_steps: 10 }), ...endlessRecovery },
      small.grpo({ max_steps: 4, save_steps: 2 }, endlessRecovery),
    ];
    const random = seededRandom(1);
    const samples: Sample[] = [];
    let submitted = 0;
    let kills = 0;
    const startedAt = Date.now();
    for (let running = true; running; await sleep(1000)) {
      const { runs } = await tandem.get<{ runs: RunSummary[] }>('/runs?limit=1000');
      const open = runs.filter((run) => !ended(run as Run));
      expect(runs.filter(({ status }) => status === 'failed')).toEqual([]);
      for (let missing = OPEN - open.length; missing > 0 && submitted < wanted; missing -= 1) {
        await tandem.post('/runs', specs[submitted++ % specs.length]);
      }
      await deleteOldest(runs.filter((run) => ended(run as Run)));
      if (random() < 0.2) kills += killSomething(random) ? 1 : 0;
      samples.push(await sample());
      running = submitted < wanted || open.length > 0;
    }
    await untilNothingRuns(tandem);
    report(samples, kills, Date.now() - startedAt);
    expect(Math.max(...samples.map(({ healthMs }) => healthMs)), 'the longest answer in ms').toBeLessThan(LONGEST_MS);
    for (const [name, { factor, more }] of Object.entries(allowed) as [
      keyof Sample,
      { factor: number; more: number },
    ][]) {
      const { early, late } = quarters(samples, name);
      expect(late, `${name}, ${early} before`).toBeLessThanOrEqual(early * factor + more);
    }
  },
);

async function deleteOldest(runs: RunSummary[]): Promise<void> {
  const byAge = [...runs].sort((a, b) => Date.parse(b.ended_at ?? '') - Date.parse(a.ended_at ?? ''));
  for (const { id } of byAge.slice(KEPT)) {
    const response = await fetch(`${tandem.url}/runs/${id}`, { method: 'DELETE' });
    // Its last programs may still be ending; the next round tries again.
    expect([204, 409]).toContain(response.status);
  }
}

function killSomething(random: () => number): boolean {
  const all = roleProcesses(tandem.home);
  const victim = all[Math.floor(random() * all.length)];
  try {
    return victim !== undefined && process.kill(victim.pid, 'SIGKILL');
  } catch {
    return false;
  }
}

async function sample(): Promise<Sample> {
  const { pid } = tandem.process();
  const askedAt = performance.now();
  await fetch(`${tandem.url}/healthz`).then((response) => response.text());
  const healthMs = performance.now() - askedAt;
  const rss = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  const database = ['tandem.db', 'tandem.db-wal'].map((name) => statSync(join(tandem.home, name)).size);
  return {
    rssMiB: Number(rss) / 1024,
    handles: readdirSync(`/proc/${pid}/fd`).length,
    files: filesBelow(tandem.home).length,
    databaseMiB: database.reduce((sum, size) => sum + size, 0) / 2 ** 20,
    healthMs,
  };
}

/** Medians of the second quarter, when everything is warm, and of the last one. */
function quarters(samples: readonly Sample[], name: keyof Sample): { early: number; late: number } {
  const quarter = Math.floor(samples.length / 4);
  const median = (part: readonly Sample[]) => {
    const values = part.map((each) => each[name]).sort((a, b) => a - b);
    return values[Math.floor(values.length / 2)] ?? Number.NaN;
  };
  return { early: median(samples.slice(quarter, 2 * quarter)), late: median(samples.slice(-quarter)) };
}

function report(samples: readonly Sample[], kills: number, wallMs: number): void {
  const lines = (Object.keys(allowed) as (keyof Sample)[]).map((name) => {
    const { early, late } = quarters(samples, name);
    const most = Math.max(...samples.map((each) => each[name]));
    return `${name} ${early.toFixed(1)} -> ${late.toFixed(1)} (max ${most.toFixed(1)})`;
  });
  process.stdout.write(
    `soak: ${wanted} runs, ${kills} kills, ${Math.round(wallMs / 1000)} s, ${samples.length} samples; ${lines.join('; ')}\n`,
  );
}
