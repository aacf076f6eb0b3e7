import { setTimeout as sleep } from 'node:timers/promises';
import type { RunEvent } from '../../services/contracts/event.ts';
import type { Run, RunSummary } from '../../services/contracts/run.ts';
import { processesOf, type RoleProcess, roleProcesses } from './processes.ts';
import { ended, type Tandem } from './tandem.ts';
import { expectSoundDisk } from './what-is-kept.ts';

export type Victim = 'control plane' | 'trainer' | 'inference';

/** One `kill -9`. `process` is who was killed, where it was a program of a run. */
export interface Kill {
  victim: Victim;
  at: number;
  process: RoleProcess | null;
  /** For a control plane: milliseconds from the start of the next one until it was ready. */
  readyMs: number | null;
}

export interface StormResult {
  kills: Kill[];
  ids: string[];
  /** Every program that was ever seen, by run, attempt and role. */
  seen: RoleProcess[];
}

/** Restarts are not what a storm may run out of. */
export const endlessRecovery = { recovery: { max_restarts: 1000, backoff_seconds: 0 } };

/**
 * Kills control plane, trainers and inference servers with signal 9 at random moments, `kills` times, while it keeps `open` runs going with specs
 * taken in turn; then lets them end. What is on disk is checked whenever the control plane is dead.
 * @param random 0 to 1; the same numbers choose the same victims, the moments are as good as the machine's clock
 */
export async function storm({
  tandem,
  specs,
  kills: wanted,
  open,
  random,
  longestPauseMs,
  programs = () => roleProcesses(tandem.home),
  disturb = null,
}: {
  tandem: Tandem;
  specs: readonly object[];
  kills: number;
  open: number;
  random: () => number;
  longestPauseMs: number;
  /** The programs of runs that live now. */
  programs?: () => RoleProcess[];
  /** Something else that happens now and then, a seventh as often as kills, and at least once when half of them are done. */
  disturb?: (() => Promise<void>) | null;
}): Promise<StormResult> {
  const kills: Kill[] = [];
  const ids: string[] = [];
  const watch = watchProcesses(programs);
  let wasDisturbed = false;

  const killRole = (role: RoleProcess['role']): boolean => {
    const candidates = programs().filter((each) => each.role === role);
    const victim = candidates[Math.floor(random() * candidates.length)];
    if (victim === undefined) return false;
    try {
      process.kill(victim.pid, 'SIGKILL');
    } catch {
      return false;
    }
    kills.push({ victim: role, at: Date.now(), process: victim, readyMs: null });
    return true;
  };

  const killControlPlane = async (): Promise<void> => {
    const kill: Kill = { victim: 'control plane', at: Date.now(), process: null, readyMs: null };
    kills.push(kill);
    await tandem.kill();
    expectSoundDisk(tandem, { hash: kills.length % 5 === 0 });
    // Now and then somebody else dies meanwhile, or the next one dies while it starts.
    if (random() < 0.3) killRole(random() < 0.5 ? 'trainer' : 'inference');
    await sleep(random() * 300);
    if (random() < 0.2) {
      const starting = tandem.start().catch(() => undefined);
      await sleep(random() * 600);
      kills.push({ victim: 'control plane', at: Date.now(), process: null, readyMs: null });
      await Promise.all([tandem.kill(), starting]);
    }
    const startedAt = Date.now();
    await tandem.start();
    kill.readyMs = Date.now() - startedAt;
  };

  while (kills.length < wanted) {
    const { runs } = await tandem.get<{ runs: RunSummary[] }>('/runs?limit=1000');
    for (let missing = open - runs.filter((run) => !ended(run as Run)).length; missing > 0; missing -= 1) {
      const key = `storm-${ids.length}`;
      const spec = specs[ids.length % specs.length] as object;
      // The same request twice: a submission whose answer was lost is repeated by its user.
      const [first, second] = await Promise.all([submit(tandem, key, spec), submit(tandem, key, spec)]);
      if (first !== second) throw new Error(`${key} was submitted twice: ${first}, ${second}`);
      ids.push(first);
    }
    await sleep(random() * longestPauseMs);
    if (disturb !== null && (random() < 1 / 7 || (!wasDisturbed && kills.length >= Math.floor(wanted / 2)))) {
      wasDisturbed = true;
      await disturb();
    }
    const pick = random();
    if (pick < 0.35) await killControlPlane();
    else killRole(pick < 0.7 ? 'trainer' : 'inference');
  }
  for (const id of ids) await tandem.until(id, ended, 300);
  await untilNothingRuns(tandem);
  return { kills, ids, seen: watch.stop() };
}

/** Until every program of ended runs is gone and their files are finished; fails with what is left. */
export async function untilNothingRuns({ home, process }: Tandem, seconds = 60): Promise<void> {
  const others = () => processesOf(home).filter(({ pid }) => pid !== process().pid);
  for (const deadline = Date.now() + seconds * 1000; others().length > 0; await sleep(100)) {
    if (Date.now() > deadline) throw new Error(`still there: ${JSON.stringify(others())}`);
  }
}

/** Repeatable numbers from 0 to 1 (mulberry32, public domain). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Milliseconds from each kill of a trainer or server until the run was served again, where nothing else was killed meanwhile. */
export function recoveryTimes({ kills }: StormResult, events: ReadonlyMap<string, readonly RunEvent[]>): number[] {
  return kills.flatMap(({ process: victim, at, victim: kind }) => {
    if (victim === null) return [];
    const back = (events.get(victim.run) ?? []).find((event) => {
      const later = Date.parse(event.time) > at && event.name === 'role_ready';
      return later && (kind === 'inference' ? event.data['role'] === 'inference' : event.attempt !== victim.attempt);
    });
    if (back === undefined) return [];
    const until = Date.parse(back.time);
    const disturbed = kills.some((other) => other.at > at && other.at < until && concerns(other, victim));
    return disturbed ? [] : [until - at];
  });
}

function concerns(kill: Kill, victim: RoleProcess): boolean {
  return kill.process === null || kill.process.run === victim.run;
}

async function submit(tandem: Tandem, key: string, spec: object): Promise<string> {
  const response = await fetch(`${tandem.url}/runs`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': key },
    body: JSON.stringify(spec),
  });
  if (!response.ok) throw new Error(`POST /runs answered ${response.status}: ${await response.text()}`);
  return ((await response.json()) as Run).id;
}

/** Looks at the machine ten times a second and remembers every program it sees. */
function watchProcesses(programs: () => RoleProcess[]): { stop: () => RoleProcess[] } {
  const seen = new Map<string, RoleProcess>();
  const timer = setInterval(() => {
    for (const each of programs()) seen.set(`${each.pid} ${each.startTime}`, each);
  }, 100);
  return {
    stop: () => {
      clearInterval(timer);
      return [...seen.values()];
    },
  };
}
