import { EventEmitter } from 'node:events';
import { describe, expect, it, vi } from 'vitest';
import { onShutdown } from './shutdown.ts';

function fakeProcess() {
  const exits: number[] = [];
  const emitter = new EventEmitter();
  return {
    exits,
    signal: (name: string) => emitter.emit(name, name),
    process: Object.assign(emitter, { exit: (code: number) => exits.push(code) }) as unknown as NodeJS.Process,
  };
}

describe('onShutdown', () => {
  it('closes once and exits with 0', async () => {
    const { process, signal, exits } = fakeProcess();
    const close = vi.fn(async () => {});
    onShutdown({ close, failed: () => {}, deadlineMs: 1000, process });
    signal('SIGTERM');
    await vi.waitFor(() => expect(exits).toEqual([0]));
    expect(close).toHaveBeenCalledTimes(1);
  });

  it('exits at once on a second signal', () => {
    const { process, signal, exits } = fakeProcess();
    onShutdown({ close: () => new Promise(() => {}), failed: () => {}, deadlineMs: 1000, process });
    signal('SIGINT');
    signal('SIGINT');
    expect(exits).toEqual([130]);
  });

  it('says why and exits with 1 when closing fails', async () => {
    const { process, signal, exits } = fakeProcess();
    const failures: unknown[] = [];
    onShutdown({
      close: async () => {
        throw new Error('busy');
      },
      failed: (error) => failures.push(error),
      deadlineMs: 1000,
      process,
    });
    signal('SIGTERM');
    await vi.waitFor(() => expect(exits).toEqual([1]));
    expect(failures).toEqual([new Error('busy')]);
  });
});
