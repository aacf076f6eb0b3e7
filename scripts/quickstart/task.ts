import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { permutation, uniform } from '../../services/model/random.ts';

/**
 * Two-digit addition with demonstrations of mixed quality: 35 % are right, the others forget the carry. A model trained on them gives
 * the wrong answer to most problems with a carry but samples the right one now and then, which is what reinforcement learning needs.
 */
const RIGHT_DEMONSTRATIONS = 0.35;
/** Of the problems without a carry, which are easy, only some are kept. */
const KEPT_WITHOUT_CARRY = 0.5;
const HELD_OUT = 200;

export interface TaskFiles {
  demonstrations: string;
  demonstrationsHeldOut: string;
  problems: string;
  problemsHeldOut: string;
  preferences: string;
  preferencesHeldOut: string;
}

/** Writes the data sets of the quickstart as JSONL below `directory`. The held-out problems are in neither training set. */
export function writeTask(directory: string, seed: number): TaskFiles {
  mkdirSync(directory, { recursive: true });
  const problems = [...permutation(90 * 90, seed, 1)]
    .map((i) => ({ a: 10 + Math.floor(i / 90), b: 10 + (i % 90) }))
    .filter((problem, i) => hasCarry(problem) || uniform(seed, 3, i) < KEPT_WITHOUT_CARRY);
  const heldOut = problems.slice(0, HELD_OUT);
  const training = problems.slice(HELD_OUT);

  const demonstrate = ({ a, b }: Problem, i: number) => ({
    prompt: question(a, b),
    completion: String(uniform(seed, 2, i) < RIGHT_DEMONSTRATIONS ? a + b : addForgettingTheCarry(a, b)),
  });
  // Where nothing is carried, the worse answer carries all the same: else the answer that is longer in tens would always be the better one.
  const prefer = ({ a, b }: Problem) => ({
    prompt: question(a, b),
    chosen: String(a + b),
    rejected: String(hasCarry({ a, b }) ? addForgettingTheCarry(a, b) : a + b + 10),
  });
  const pose = ({ a, b }: Problem) => ({ prompt: question(a, b), answer: String(a + b) });

  return {
    demonstrations: writeJsonl(join(directory, 'demonstrations.jsonl'), training.map(demonstrate)),
    demonstrationsHeldOut: writeJsonl(join(directory, 'demonstrations-held-out.jsonl'), heldOut.map(demonstrate)),
    problems: writeJsonl(join(directory, 'problems.jsonl'), training.map(pose)),
    problemsHeldOut: writeJsonl(join(directory, 'problems-held-out.jsonl'), heldOut.map(pose)),
    preferences: writeJsonl(join(directory, 'preferences.jsonl'), training.map(prefer)),
    preferencesHeldOut: writeJsonl(join(directory, 'preferences-held-out.jsonl'), heldOut.map(prefer)),
  };
}

interface Problem {
  a: number;
  b: number;
}

function hasCarry({ a, b }: Problem): boolean {
  return (a % 10) + (b % 10) >= 10;
}

function question(a: number, b: number): string {
  return `${a}+${b}=`;
}

function addForgettingTheCarry(a: number, b: number): number {
  return (Math.floor(a / 10) + Math.floor(b / 10)) * 10 + ((a + b) % 10);
}

function writeJsonl(path: string, rows: object[]): string {
  writeFileSync(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  return path;
}
