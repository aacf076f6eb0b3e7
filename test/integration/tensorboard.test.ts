import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeResumedTwice } from '../../services/control-plane/trackers/tensorboard/resumed-twice.fixture.ts';

const python = process.env['TANDEM_TENSORBOARD_PYTHON'] ?? '';
const script = path.resolve(import.meta.dirname, '../golden/tensorboard/read_board.py');

const golden = () => {
  const { versions: _, ...shown } = JSON.parse(readFileSync(path.join(path.dirname(script), 'golden.json'), 'utf8'));
  return shown;
};

describe.skipIf(python === '')('the installed TensorBoard (needs TANDEM_TENSORBOARD_PYTHON)', () => {
  let written: Awaited<ReturnType<typeof writeResumedTwice>>;
  beforeAll(async () => {
    written = await writeResumedTwice();
  });
  afterAll(() => written.close());

  it('reads of a run that was resumed twice what the golden file says', () => {
    const read = () =>
      execFileSync(python, [script, written.directory, '--without-config'], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      });
    const { versions: _, ...shown } = JSON.parse(read());
    expect(shown.hparams[0].status).toEqual(['STATUS_SUCCESS']);
    expect(shown).toEqual(golden());
  });

  it('shows each step once on its page too, whose server reads the files by other code', async () => {
    const program = path.join(path.dirname(python), 'tensorboard');
    const options = ['--logdir', written.directory, '--host', '127.0.0.1', '--port', '0', '--load_fast', 'true'];
    const server = spawn(program, options, { stdio: ['ignore', 'ignore', 'pipe'] });
    try {
      const url = await addressOf(server.stderr);
      const shown = await untilShown(new URL('data/plugin/scalars/scalars?run=.&tag=train/loss', url), 30);
      expect(shown.map(([, step]) => step)).toEqual(Array.from({ length: 30 }, (_, index) => index + 1));
      expect(shown.map(([, , value]) => Math.floor(value)).join('')).toBe(
        `${'1'.repeat(10)}${'2'.repeat(10)}${'3'.repeat(10)}`,
      );
    } finally {
      server.kill('SIGKILL');
      await once(server, 'exit');
    }
  });
});

async function addressOf(output: NodeJS.ReadableStream): Promise<string> {
  for await (const line of createInterface({ input: output })) {
    const found = /http:\/\/127\.0\.0\.1:\d+\//.exec(line);
    if (found !== null) return found[0];
  }
  throw new Error('TensorBoard has ended before it listened.');
}

/** Its page shows what has been loaded so far. */
async function untilShown(url: URL, points: number): Promise<[wallTime: number, step: number, value: number][]> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const response = await fetch(url);
    const shown = response.ok ? ((await response.json()) as [number, number, number][]) : [];
    if (shown.length >= points || Date.now() > deadline) return shown;
    await setTimeout(100);
  }
}
