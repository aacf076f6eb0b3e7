import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createRedactor } from '../../platform/redaction.ts';
import { plantSecrets, secretsIn } from '../../platform/testing/plant-secrets.ts';
import { cutOutput } from '../runtimes/bounded-output.ts';
import type { RoleOutput } from '../runtimes/runtime.ts';
import { createRoleOutputSink } from './role-output.sink.ts';
import { RUN, specOf } from './sink.fixtures.ts';

const { signal } = new AbortController();

let home: string;
let sources: RoleOutput[];
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'tandem-output-'));
  sources = [];
});
afterEach(() => rmSync(home, { recursive: true }));

const path = () => join(home, 'logs/inference.log');
const sink = (redactor = createRedactor({}), fileBytes = 1e8) =>
  createRoleOutputSink({
    target: {
      run: RUN,
      spec: specOf(),
      tree: home,
      outputDir: home,
      parent: null,
      status: () => 'running',
      levels: () => ({ training: 'INFO', rollout: 'INFO', eval: 'INFO', performance: 'INFO' }),
    },
    runtime: { outputs: async () => [...sources] },
    role: 'inference',
    path: path(),
    logs: [path()],
    limits: { fileBytes, runBytes: 1e9, runFiles: 100 },
    redactor,
    now: () => Date.parse('2026-11-20T09:00:00Z'),
  });
/** A start that has printed this. */
const printing = (attempt: number, start: number, text: string | Buffer, ended = false) => {
  const file = join(home, `${attempt}.${start}.out`);
  writeFileSync(file, text);
  const source = { identity: { run: RUN, attempt, role: 'inference' as const, start }, path: file, ended };
  sources.push(source);
  return source;
};
const lines = () =>
  readFileSync(path(), 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as { attempt: number; start: number; n: number; message: string });
const messages = () => lines().map(({ message }) => message);

describe("a role's output", () => {
  it('is a log of whole lines, each with its place, that grows while the program prints', async () => {
    const server = printing(1, 1, 'INFO started\nhalf a');
    const writer = sink();
    await writer.catchUp(false, signal);
    expect(lines()).toEqual([
      {
        timestamp: '2026-11-20T09:00:00.000Z',
        role: 'inference',
        message: 'INFO started',
        attempt: 1,
        start: 1,
        n: 13,
        run: RUN,
      },
    ]);
    appendFileSync(server.path, ' line\n\nlast words');
    await writer.catchUp(false, signal);
    expect(messages()).toEqual(['INFO started', 'half a line']);
    server.ended = true;
    await writer.catchUp(false, signal);
    expect(messages()).toEqual(['INFO started', 'half a line', 'last words']);
  });

  it('goes on without loss or double through starts and attempts, however often its writer is killed', async () => {
    const text = (of: string) => Array.from({ length: 30 }, (_, index) => `${of} line ${index} ü`).join('\n');
    const all = ['1.1', '1.2', '2.1'].flatMap((of) => text(of).split('\n'));
    for (const [attempt, start] of [
      [1, 1],
      [1, 2],
      [2, 1],
    ] as const) {
      const bytes = Buffer.from(text(`${attempt}.${start}`));
      const source = printing(attempt, start, '');
      for (let at = 0; at < bytes.length; at += 101) {
        appendFileSync(source.path, bytes.subarray(at, at + 101));
        await sink(undefined, 2000).catchUp(false, signal);
      }
      source.ended = true;
    }
    await sink(undefined, 2000).catchUp(false, signal);
    const number = (name: string) => Number(/\.(\d+)\.log/.exec(name)?.[1] ?? 1000);
    const found = readdirSync(join(home, 'logs'))
      .sort((a, b) => number(a) - number(b))
      .flatMap((name) => {
        const bytes = readFileSync(join(home, 'logs', name));
        return (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8').split('\n').filter(Boolean);
      });
    expect(found.map((line) => JSON.parse(line).message)).toEqual(all);
  });

  it('keeps the beginning of a line of 10 MB and says how much is left out', async () => {
    printing(1, 1, `before\n${'x'.repeat(10_000_000)}\nafter\n`);
    await sink().catchUp(false, signal);
    const [before, long, after, ...rest] = messages();
    expect([before, after, rest]).toEqual(['before', 'after', []]);
    expect(long?.length).toBeLessThan(65_536);
    const left = Number(/^x+ \.\.\. (\d+) bytes of this line are left out$/.exec(long ?? '')?.[1]);
    expect(left + (long?.indexOf(' ') ?? 0)).toBe(10_000_000);
    expect(lines()[2]?.n).toBe(10_000_000 + 14);
  });

  it('waits for the end of a long line, and writes one that never ends when its program has ended', async () => {
    const server = printing(1, 1, 'y'.repeat(3_000_000));
    const writer = sink();
    await writer.catchUp(false, signal);
    expect(messages()).toEqual([]);
    server.ended = true;
    await writer.catchUp(false, signal);
    expect(messages()).toHaveLength(1);
    expect(messages()[0]).toMatch(/^y{60000,} \.\.\. \d+ bytes of this line are left out$/);
  });

  it('is clean text of valid JSON lines, whatever bytes a program prints', async () => {
    const binary = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 7919 + (index >> 3)) % 256));
    printing(
      1,
      1,
      Buffer.concat([
        binary,
        Buffer.from('\n\u001b[31mred\u001b[0m 10%\r 50%\r100% done\r\n'),
        Buffer.alloc(9000),
        Buffer.from('end\n'),
      ]),
    );
    await sink().catchUp(false, signal);
    expect(messages().join('')).not.toMatch(/\p{Cc}/u);
    expect(messages()).toContain('100% done');
    expect(messages().at(-1)).toBe('end');
    expect(Math.max(...messages().map((each) => each.length))).toBeLessThan(66_000);
  });

  it('says how much is missing of what was given back before it was copied, and has the newest', async () => {
    const text = Array.from({ length: 9000 }, (_, index) => `line ${index} ${'z'.repeat(1000)}`).join('\n');
    const server = printing(1, 1, `${text}\n`);
    const size = Buffer.byteLength(text) + 1;
    await cutOutput(server.path);
    server.ended = true;
    await sink().catchUp(false, signal);
    const at = messages().findIndex((message) => message.endsWith('bytes are left out here ...'));
    const gone = Number(/\d+/.exec(messages()[at] as string)?.[0]);
    expect(messages()[0]).toMatch(/^line 0 z/);
    expect(messages().at(-1)).toMatch(/^line 8999 z/);
    const kept = messages().filter((_, index) => index !== at);
    expect(kept.reduce((sum, message) => sum + message.length + 1, 0) + gone).toBe(size);
    expect(lines().at(-1)?.n).toBe(size);
  });

  it('is copied once when it is cut after it was copied', async () => {
    const server = printing(
      1,
      1,
      `${Array.from({ length: 9000 }, (_, index) => `line ${index} ${'z'.repeat(1000)}`).join('\n')}\n`,
    );
    await sink().catchUp(false, signal);
    const before = lines().length;
    await cutOutput(server.path);
    server.ended = true;
    await sink().catchUp(false, signal);
    expect(lines()).toHaveLength(before);
    expect(before).toBe(9000);
  });

  it.each([
    1, 2, 3,
  ])('holds none of the secrets that a program prints, broken over lines or not (seed %i)', async (seed) => {
    const planted = plantSecrets(seed);
    const text = Array.from({ length: 200 }, () => planted.text()).join('\n');
    expect(secretsIn(text, planted.secrets)).not.toEqual([]);
    printing(1, 1, `${text}\n`, true);
    await sink(createRedactor(planted.env)).catchUp(false, signal);
    expect(secretsIn(messages().join('\n'), planted.secrets)).toEqual([]);
    expect(messages().length).toBeGreaterThan(150);
  });

  it('shows no half of a secret where a long line is cut', async () => {
    const secret = 'abcdefghijklmnopqrstuvwxyz0123456789';
    for (const at of [61_400, 61_430, 65_500, 65_530]) {
      sources = [];
      rmSync(join(home, 'logs'), { recursive: true, force: true });
      printing(1, 1, `${'x'.repeat(at)}${secret}${'x'.repeat(100_000)}\n`);
      await sink(createRedactor({ A_KEY: secret })).catchUp(false, signal);
      expect(messages()[0]).not.toContain(secret.slice(0, 5));
    }
  });

  it('refuses to mix with the output of another run', async () => {
    mkdirSync(join(home, 'logs'));
    writeFileSync(
      path(),
      `${JSON.stringify({ timestamp: '2026-11-20T09:00:00.000Z', run: 'run-bbbbbbbb', attempt: 1, n: 7 })}\n`,
    );
    printing(1, 1, 'x\n');
    await expect(sink().catchUp(false, signal)).rejects.toThrow(/printed; move it away/);
  });
});
