import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { UsageError } from './options.ts';
import { runScript, type Script } from './run-script.ts';
import { ScriptError } from './script-error.ts';

let said: string[];
beforeEach(() => {
  said = [];
  for (const each of ['log', 'error'] as const) vi.spyOn(console, each).mockImplementation((text) => said.push(text));
});
afterEach(() => {
  vi.restoreAllMocks();
});

const script = (change: Partial<Script<string[]>>): Script<string[]> => ({
  name: 'some.sh',
  usage: 'Usage: some.sh',
  readOptions: (args) => args,
  run: async () => 0,
  ...change,
});

it('ends with what the script says', async () => {
  expect(await runScript(script({ run: async (args) => args.length }), ['a', 'b'])).toBe(2);
  expect(said).toEqual([]);
});

it('shows the usage to who asks for it, and with 64 to who needs it', async () => {
  expect(await runScript(script({ readOptions: () => null }), ['--help'])).toBe(0);
  const readOptions = () => {
    throw new UsageError('name the run');
  };
  expect(await runScript(script({ readOptions }), [])).toBe(64);
  expect(said).toEqual(['Usage: some.sh', 'some.sh: name the run', 'Usage: some.sh']);
});

it('says what failed, and ends with 1', async () => {
  expect(await runScript(script({ run: () => Promise.reject(new Error('nobody answers')) }), [])).toBe(1);
  expect(said).toEqual(['some.sh: nobody answers']);
});

it('ends with the code of an error that has one', async () => {
  const run = () => Promise.reject(new ScriptError('there is no such log', 66));
  expect(await runScript(script({ run }), [])).toBe(66);
  expect(console.error).toHaveBeenCalledWith('some.sh: there is no such log');
});

it('is ended by a signal with 130, unless the script wants something else of it', async () => {
  const before = process.listenerCount('SIGINT');
  const exit = vi.spyOn(process, 'exit').mockImplementation(() => undefined as never);
  const seen: string[] = [];
  const run: Script<string[]>['run'] = async (_, { onInterrupt }) => {
    process.emit('SIGINT', 'SIGINT');
    onInterrupt(() => seen.push('saves'));
    process.emit('SIGTERM', 'SIGTERM');
    onInterrupt(null);
    process.emit('SIGINT', 'SIGINT');
    return 0;
  };
  await runScript(script({ run }), []);
  expect(seen).toEqual(['saves']);
  expect(exit.mock.calls).toEqual([[130], [130]]);
  expect(process.listenerCount('SIGINT')).toBe(before);
});
