import { describe, expect, it } from 'vitest';
import { attemptOf, createNames, roleOf } from './naming.ts';

const names = createNames('3f2b8c1d-0000-4000-8000-000000000000');
const server = { run: 'run-7k3m9q2d', attempt: 2, role: 'inference', start: 3 } as const;

describe('names in Docker', () => {
  it('are a function of installation, run, attempt, role and start', () => {
    expect(names.role(server)).toBe('tandem-3f2b8c1d-run-7k3m9q2d.a2.inference.3');
    expect(names.attempt(server)).toBe('tandem-3f2b8c1d-run-7k3m9q2d.a2');
  });

  it('are what Docker takes for a name', () => {
    for (const name of [
      names.role(server),
      names.attempt(server),
      names.agents,
      names.input('0af1'),
      names.compileCache,
    ]) {
      expect(name).toMatch(/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/);
    }
  });

  it('are read back from labels, which hold the whole installation', () => {
    const labels = names.labels.role(server, 7);
    expect(roleOf(labels)).toEqual(server);
    expect(attemptOf(labels)).toEqual({ run: 'run-7k3m9q2d', attempt: 2 });
    expect(labels).toMatchObject({
      'dev.tandem.installation': '3f2b8c1d-0000-4000-8000-000000000000',
      'dev.tandem.epoch': '7',
    });
  });

  it('are not read from labels of others', () => {
    expect(roleOf({ 'com.docker.compose.service': 'trainer' })).toBeNull();
    expect(roleOf({ 'dev.tandem.role': '../../etc' })).toBeNull();
    expect(attemptOf(undefined)).toBeNull();
    expect(attemptOf({ 'dev.tandem.attempt': 'run-1' })).toBeNull();
  });
});
