import { createHash } from 'node:crypto';
import { type Dirent, existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { MANIFEST_FILE, manifestSchema } from '../../services/contracts/checkpoint.ts';
import { type LogRecord, recordSchema, type TrainerRecord } from '../../services/contracts/record.ts';
import type { Run } from '../../services/contracts/run.ts';
import { ended, type Tandem } from './tandem.ts';

/**
 * What must hold on disk at every moment at which no control plane writes: whatever has a manifest is whole, and the records of every attempt
 * are numbered from 1 without gap or double, but for half a line at the end.
 */
export function expectSoundDisk(tandem: Tandem, { hash }: { hash: boolean }): void {
  for (const root of [join(tandem.home, 'objects'), tandem.outputs]) expectWholeCheckpoints(root, hash);
  const records = join(tandem.home, 'records');
  for (const run of names(records)) {
    for (const file of recordFiles(join(records, run))) {
      const text = readFileSync(join(records, run, file), 'utf8');
      numbered(text.slice(0, text.lastIndexOf('\n') + 1), `${run}/${file}`);
    }
  }
}

/** Every directory below `root` that has a manifest holds its files, with size and, when `hash`, sha256. Returns how many there are. */
export function expectWholeCheckpoints(root: string, hash: boolean): number {
  const manifests = filesBelow(root).filter((path) => path.endsWith(`/${MANIFEST_FILE}`));
  for (const path of manifests) {
    const { files } = manifestSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
    for (const file of files) {
      const at = join(dirname(path), file.path);
      expect(existsSync(at) ? statSync(at).size : null, at).toBe(file.size);
      if (hash) expect(createHash('sha256').update(readFileSync(at)).digest('hex'), at).toBe(file.sha256);
    }
  }
  return manifests.length;
}

/**
 * What an ended run leaves, a few rounds of the control plane after its end: a complete tree, each line once, every exit code, and nothing of its
 * closed attempts.
 * @param wasStarted whether a role was; one that was not, because its attempt ended first, has no exit code. `role` is `run-7k3m9q2d.a1.trainer`
 */
export async function expectAllKept(
  tandem: Tandem,
  id: string,
  { seconds = 20, wasStarted = () => true }: { seconds?: number; wasStarted?: (role: string) => boolean } = {},
): Promise<Run> {
  for (const deadline = Date.now() + seconds * 1000; ; await sleep(100)) {
    try {
      return await allKept(tandem, id, wasStarted);
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
  }
}

async function allKept(tandem: Tandem, id: string, wasStarted: (role: string) => boolean): Promise<Run> {
  const run = await tandem.run(id);
  expect(ended(run), `${id} is ${run.status}`).toBe(true);
  expect(run.attempts.map(({ number }) => number)).toEqual(run.attempts.map((_, i) => i + 1));
  for (const { number, roles, ended_at: endedAt } of run.attempts) {
    expect(endedAt, `${id}.a${number} has not ended`).not.toBeNull();
    for (const role of roles.filter((each) => wasStarted(`${id}.a${number}.${each.role}`))) {
      expect(role, `${id}.a${number}`).toMatchObject({ state: 'exited', exit_code: expect.any(Number) });
    }
  }
  expectLogFiles(tandem, run);
  expectTree(tandem, run, await tandem.checkpoints(id));
  expect(names(join(tandem.home, 'work', id))).toEqual([]);
  expectNoUncommittedFiles(join(tandem.home, 'objects/runs', id, 'checkpoints'));
  return run;
}

/** The records of every attempt of a run, as the files hold them. */
export function recordsOf(tandem: Tandem, run: string): Map<number, TrainerRecord[]> {
  const directory = join(tandem.home, 'records', run);
  return new Map(
    recordFiles(directory)
      .map((name): [number, TrainerRecord[]] => [
        Number(/^a(\d+)\.jsonl$/.exec(name)?.[1]),
        numbered(readFileSync(join(directory, name), 'utf8'), `${run}/${name}`),
      ])
      .sort(([a], [b]) => a - b),
  );
}

/** Beside the records of the attempts lie the run's events. */
function recordFiles(directory: string): string[] {
  return names(directory).filter((name) => /^a\d+\.jsonl$/.test(name));
}

function numbered(text: string, where: string): TrainerRecord[] {
  const records = text
    .split('\n')
    .slice(0, -1)
    .map((line) => recordSchema.parse(JSON.parse(line)));
  expect(text === '' || text.endsWith('\n'), `${where} ends within a line`).toBe(true);
  expect(
    records.map(({ n }) => n),
    where,
  ).toEqual(records.map((_, i) => i + 1));
  return records;
}

/** Each file holds every line that its components wrote, in order and once. */
function expectLogFiles(tandem: Tandem, run: Run): void {
  const files = {
    'training.log': ['training', 'eval'],
    'rollouts.log': ['rollout'],
    'performance.log': ['performance'],
  };
  const records = [...recordsOf(tandem, run.id)];
  for (const [attempt, each] of records) {
    const starts = each.filter((record) => record.kind === 'event' && record.name === 'started');
    expect(starts.length, `trainers of ${run.id}.a${attempt}`).toBeLessThanOrEqual(1);
  }
  for (const [name, components] of Object.entries(files)) {
    const said = (record: TrainerRecord): record is LogRecord =>
      record.kind === 'log' && components.includes(record.component) && record.level !== 'DEBUG';
    const wanted = records.flatMap(([attempt, each]) => each.filter(said).map(({ n }) => `a${attempt} ${n}`));
    const path = join(tandem.tree(run), 'logs', name);
    const lines = existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(0, -1) : [];
    const written = lines.map((line) => JSON.parse(line) as { attempt: number; n: number });
    expect(
      written.map(({ attempt, n }) => `a${attempt} ${n}`),
      path,
    ).toEqual(wanted);
  }
}

/** Within `seconds` the run's tree holds its final checkpoint, whole. */
export async function expectTreeOfFinal(tandem: Tandem, run: Run, seconds = 30): Promise<void> {
  const checkpoints = await tandem.checkpoints(run.id);
  for (const deadline = Date.now() + seconds * 1000; ; await sleep(100)) {
    try {
      return expectTree(tandem, run, checkpoints);
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
  }
}

function expectTree(tandem: Tandem, run: Run, checkpoints: Awaited<ReturnType<Tandem['checkpoints']>>): void {
  const tree = tandem.tree(run);
  expectWholeCheckpoints(tree, true);
  const final = checkpoints.find(({ aliases }) => aliases.includes('final'));
  if (run.status === 'succeeded') {
    expect(final, `the final checkpoint of ${run.id}`).toBeDefined();
    const placed = JSON.parse(readFileSync(join(tree, 'final', MANIFEST_FILE), 'utf8')) as { name: string };
    expect(placed.name).toBe(final?.name);
  }
  const limit = run.spec.training.save_total_limit;
  expect(names(join(tree, 'checkpoints')).length).toBeLessThanOrEqual(limit);
  expect(filesBelow(tree).filter((path) => /\.tandem-staging|\/\.tmp-/.test(path))).toEqual([]);
}

function expectNoUncommittedFiles(directory: string): void {
  for (const attempt of names(directory)) {
    for (const checkpoint of names(join(directory, attempt))) {
      expect(existsSync(join(directory, attempt, checkpoint, MANIFEST_FILE)), `${attempt}/${checkpoint}`).toBe(true);
    }
  }
}

/** Every file below a directory; what vanishes meanwhile is left out. */
export function filesBelow(root: string): string[] {
  return entriesOf(root).flatMap((entry) => {
    const path = join(root, entry.name);
    if (entry.isDirectory()) return filesBelow(path);
    return entry.isFile() ? [path] : [];
  });
}

function entriesOf(directory: string): Dirent[] {
  try {
    return readdirSync(directory, { withFileTypes: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function names(directory: string): string[] {
  return existsSync(directory) ? readdirSync(directory) : [];
}
