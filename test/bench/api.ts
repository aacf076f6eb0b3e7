import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Bench, round, table } from './support/bench.ts';
import { type ControlPlaneProcess, controlPlaneProcess } from './support/control-plane-process.ts';
import { median, percentile, timed, timedInTurns } from './support/measure.ts';
import { cursorBefore, type SeededHome, seedHome } from './support/seed-home.ts';

const FEW = 100;
const MANY = Number(process.env['BENCH_RUNS'] ?? 100_000);
/** A ratio is the median of several, so that a burst of other work on the machine decides nothing. */
const ROUNDS = 7;
const REQUESTS = 150;
const WARMUP = 20;

/**
 * Lists and metrics over HTTP, asked of two control planes in turns: one that has had 100 runs, one that has had 100,000. Both answer the
 * same number of rows, so the ratio is what the other 99,900 runs cost.
 */
export const runApiBench: Bench = async (print) => {
  const directory = mkdtempSync(join(tmpdir(), 'tandem-bench-api-'));
  const planes: ControlPlaneProcess[] = [];
  const open = async (runs: number) => {
    const at = join(directory, String(runs));
    let home: SeededHome | undefined;
    const seconds = (await timed(() => (home = seedHome(join(at, 'home'), runs)))) / 1000;
    const plane = await controlPlaneProcess({ directory: at });
    planes.push(plane);
    const start = await plane.start();
    print(
      `${runs} runs: seeded in ${seconds.toFixed(1)} s, control plane ready ${start.seconds.toFixed(2)} s after exec`,
    );
    return { plane, home: home as SeededHome, start: start.seconds };
  };

  try {
    const few = await open(FEW);
    const many = await open(MANY);
    const rows: (string | number)[][] = [['request', `p50 ms ${FEW}`, `p50 ms ${MANY}`, 'p99', 'p99', 'p99 ratio']];
    const ratios: Record<string, number> = {};
    for (const [name, path] of Object.entries(requests(few.home, many.home))) {
      const rounds = await inRounds(
        () => few.plane.get(path.few),
        () => many.plane.get(path.many),
      );
      const [low, high] = [median(rounds.map(({ few99 }) => few99)), median(rounds.map(({ many99 }) => many99))];
      ratios[name] = round(median(rounds.map(({ few99, many99 }) => many99 / few99)));
      const [few50, many50] = [median(rounds.map((each) => each.few50)), median(rounds.map((each) => each.many50))];
      rows.push([name, few50, many50, low, high, ratios[name]]);
    }
    print(table(rows));
    const lists = Object.entries(ratios).flatMap(([name, ratio]) => (name.startsWith('list') ? [ratio] : []));
    return {
      bench: 'api',
      baseline: `the same requests to a control plane with ${FEW} runs`,
      list_p99_ratio: Math.max(...lists),
      metrics_p99_ratio: ratios['metrics'],
      ratios,
      ready_seconds: { [FEW]: round(few.start), [MANY]: round(many.start) },
    };
  } finally {
    for (const plane of planes) await plane.end('SIGTERM');
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  }
};

async function inRounds(few: () => Promise<unknown>, many: () => Promise<unknown>) {
  const rounds: { few50: number; many50: number; few99: number; many99: number }[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const times = await timedInTurns({ few, many }, { count: REQUESTS, warmup: round === 0 ? WARMUP : 0 });
    const of = (p: number) => ({ few: percentile(times.few, p), many: percentile(times.many, p) });
    const [p50, p99] = [of(50), of(99)];
    rounds.push({ few50: p50.few, many50: p50.many, few99: p99.few, many99: p99.many });
  }
  return rounds;
}

/** Each asks both for the same number of rows. */
function requests(few: SeededHome, many: SeededHome): Record<string, { few: string; many: string }> {
  const both = (path: string) => ({ few: path, many: path });
  return {
    'list, first page': both('/runs?limit=25'),
    'list, last page': both(`/runs?limit=25&cursor=${cursorBefore(25)}`),
    'list, status=failed': both('/runs?limit=25&status=failed'),
    'list, method=sft': both('/runs?limit=25&method=sft'),
    'list, status and method': both('/runs?limit=25&method=sft&status=failed'),
    'list, no match': both('/runs?limit=25&method=sft&status=cancelled'),
    'list, label team=1': both('/runs?limit=25&label=team%3D1'),
    'list, label and status': both('/runs?limit=4&label=team%3D2&status=failed'),
    metrics: { few: `/runs/${few.watched}/metrics`, many: `/runs/${many.watched}/metrics` },
    'run by id': { few: `/runs/${few.watched}`, many: `/runs/${many.watched}` },
  };
}
