import { describe, expect, it } from 'vitest';
import { readContainer } from './read-container.ts';

const identity = { run: 'run-7k3m9q2d', attempt: 1, role: 'trainer', start: 1 } as const;
const bootedAt = Date.parse('2026-11-20T00:00:00Z');
const state = {
  status: 'exited',
  running: false,
  oomKilled: false,
  pid: 0,
  exitCode: 0,
  error: '',
  startedAt: '2026-11-21T09:00:00.123456789Z',
  finishedAt: '2026-11-21T10:00:00Z',
  health: null,
  healthLog: [],
} as const;
const read = (change: object) => readContainer(identity, { ...state, ...change }, bootedAt);

describe('what a container says of its role', () => {
  it.each([
    ['made and not started', { status: 'created', startedAt: null }, { state: 'created' }],
    [
      'whose start failed',
      { status: 'created', startedAt: null, exitCode: 127, error: 'no such file' },
      { state: 'created' },
    ],
    ['that runs', { status: 'running', pid: 4242 }, { state: 'running', pid: 4242, exitCode: null }],
    ['that somebody has paused', { status: 'paused', pid: 4242 }, { state: 'running' }],
    ['that has ended', { exitCode: 68 }, { state: 'exited', exitCode: 68 }],
    ['that the kernel killed', { exitCode: 137, oomKilled: true }, { state: 'exited', outOfMemory: true }],
    ['that is being removed', { status: 'removing', exitCode: 3 }, { state: 'exited', exitCode: 3 }],
    ['that is dead', { status: 'dead', exitCode: 3 }, { state: 'exited', exitCode: 3 }],
    ['that ended with 255 by itself', { exitCode: 255 }, { state: 'exited', exitCode: 255, rebooted: false }],
    [
      'from before the last boot',
      { exitCode: 255, startedAt: '2026-11-19T09:00:00Z' },
      { state: 'lost', rebooted: true, exitCode: null },
    ],
  ])('%s', (_, change, expected) => {
    expect(read(change)).toMatchObject({ identity, ...expected });
  });
});
