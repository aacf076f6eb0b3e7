import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { makeTinyModel } from '../model/tiny-model.ts';

const MAIN = path.resolve('dist/services/inference/main.js');
const children: ChildProcess[] = [];
let home: string;

beforeAll(async () => {
  await access(MAIN).catch(() => {
    throw new Error(`${MAIN} is missing: run npm run build before this test`);
  });
  home = await mkdtemp(path.join(tmpdir(), 'tandem-inference-main-'));
  await makeTinyModel(path.join(home, 'model'));
});

afterAll(() => rm(home, { recursive: true, force: true }));

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

interface Ended {
  readonly code: number | null;
  readonly errors: string;
}

function start(args: readonly string[]): { readonly child: ChildProcess; readonly ended: Promise<Ended> } {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  children.push(child);
  let errors = '';
  child.stderr!.on('data', (chunk: Buffer) => {
    errors += chunk.toString();
  });
  return { child, ended: once(child, 'close').then(([code]) => ({ code: code as number | null, errors })) };
}

async function readReady(file: string): Promise<{ url: string; pid: number } | null> {
  return readFile(file, 'utf8').then(
    (text) => JSON.parse(text),
    () => null,
  );
}

describe('the process', () => {
  it('writes its ready file when it serves, answers there, and exits 0 at SIGTERM with a request under way', async () => {
    const readyFile = path.join(home, 'ready.json');
    const model = ['--model', path.join(home, 'model'), '--served-model-name', 'run-a'];
    const { child, ended } = start([...model, '--host', '127.0.0.1', '--port', '0', '--ready-file', readyFile]);
    await expect.poll(() => readReady(readyFile), { timeout: 15_000 }).not.toBeNull();
    const ready = (await readReady(readyFile))!;
    expect(ready).toEqual({ url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/v1$/), pid: child.pid });
    const { data } = (await (await fetch(`${ready.url}/models`)).json()) as { data: { id: string }[] };
    expect(data.map(({ id }) => id)).toEqual(['run-a']);

    const request = fetch(`${ready.url}/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ prompt: [1], max_tokens: 500, n: 64, ignore_eos: true }),
    });
    const isRunning = async () =>
      /num_requests_running\S* 64/.test(await (await fetch(new URL('/metrics', ready.url))).text());
    await expect.poll(isRunning, { interval: 2 }).toBe(true);
    child.kill('SIGTERM');
    const { choices } = (await (await request).json()) as { choices: { finish_reason: string }[] };
    expect(choices[0]!.finish_reason).toBe('abort');
    expect(await ended).toEqual({ code: 0, errors: '' });
  });

  it.each([
    [64, 'a wrong argument', ['--model', 'm', '--prt', '1'], /^inference: Unknown option '--prt'.*--port.*\n$/],
    [
      66,
      'a model that is not there',
      ['--model', '/no/such/model', '--port', '0'],
      /^inference: \/no\/such\/model\/config\.json .*\n$/,
    ],
  ])('exits with %d and one line on stderr for %s', async (code, _, args, line) => {
    const result = await start(args).ended;
    expect(result.errors).toMatch(line);
    expect(result.code).toBe(code);
  });

  it('says that a port is taken', async () => {
    const readyFile = path.join(home, 'first.json');
    const model = ['--model', path.join(home, 'model')];
    start([...model, '--port', '0', '--ready-file', readyFile]);
    await expect.poll(() => readReady(readyFile), { timeout: 15_000 }).not.toBeNull();
    const { url } = (await readReady(readyFile))!;
    const second = await start([...model, '--port', new URL(url).port]).ended;
    expect(second).toEqual({ code: 69, errors: expect.stringContaining('EADDRINUSE') });
  });
});
