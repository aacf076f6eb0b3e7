import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { findAddons } from '../../services/model/engines/find-addons.ts';

const main = join(resolve(import.meta.dirname, '../..'), 'dist/test/support/signalled-products-main.js');

test.skipIf(findAddons(process.env).cpu === null)(
  'signals during products leave the heap whole, and reach their handlers (else: run ./scripts/install-tensorflow.sh again)',
  async () => {
    const child = spawn(process.execPath, [main], { stdio: ['pipe', 'pipe', 'ignore'] });
    let said = '';
    child.stdout.on('data', (text) => {
      said += text;
    });
    const ended = once(child, 'close');
    await once(child.stdout, 'data');
    for (let sent = 0; sent < 1000; sent++) {
      child.kill('SIGUSR2');
      await wait(1);
    }
    child.stdin.on('error', () => undefined).end();
    expect(await ended).toEqual([0, null]);
    const { signals, wrong } = JSON.parse(said.split('\n')[1]!);
    expect(wrong).toBe(0);
    expect(signals).toBeGreaterThan(50);
  },
  30_000,
);
