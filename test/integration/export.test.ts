import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { CheckpointExport } from '../../services/contracts/checkpoint-export.ts';
import type { Run } from '../../services/contracts/run.ts';
import { parseCommand } from '../support/fake-vllm/arguments.ts';
import { makeSmallRuns, type SmallRuns } from '../support/small-runs.ts';
import { startTandem, type Tandem } from '../support/tandem.ts';

/* A checkpoint is taken to where it is served: by the script, by the command of its README, as Python opens it. */

const root = resolve(import.meta.dirname, '../..');
const python = process.env['TANDEM_TORCH_PYTHON'] ?? '';
let tandem: Tandem;
let small: SmallRuns;
const runs: Record<string, Run> = {};

/** What is exported, with the loss per token that serving it without quantisation may differ by from its own evaluation. */
const variants: readonly (readonly [what: 'adapter' | 'model' | 'qlora', model: object, off: number])[] = [
  ['adapter', { lora: { r: 4, alpha: 8 } }, 5e-5],
  ['model', { use_lora: false }, 5e-5],
  // On the weights that the 4-bit ones are made of, as its README says first: a model as small as this one loses much by quantisation.
  ['qlora', { use_4bit: true, lora: { r: 4, alpha: 8 } }, 0.3],
];

beforeAll(async () => {
  tandem = await startTandem({ TANDEM_SLOTS: '2' });
  small = await makeSmallRuns(tandem);
  const spec = small.sft({ max_steps: 12, eval_steps: 12, save_steps: 12 });
  const ids = await Promise.all(
    variants.map(([, model]) =>
      tandem.post<Run>('/runs', { ...spec, model: { name: small.model, max_seq_length: 64, ...model } }),
    ),
  );
  for (const [at, [what]] of variants.entries()) runs[what] = await tandem.untilSucceeded(ids[at]?.id ?? '');
});
afterAll(() => tandem?.dispose());

/** Runs what export.sh runs. */
async function exportTo(directory: string, what: string): Promise<string> {
  const script = join(root, 'dist/scripts/export/main.js');
  const env = { PATH: process.env['PATH'] ?? '', TANDEM_URL: tandem.url };
  const { stdout } = await promisify(execFile)(process.execPath, [script, what, directory], {
    cwd: tandem.directory,
    env,
  });
  return stdout;
}

/** The n-th command of an export's README, as words. */
function commandOf(directory: string, n: number): string[] {
  const blocks = [...readFileSync(join(directory, 'README.md'), 'utf8').matchAll(/```\n([\s\S]*?)\n```/g)];
  return (blocks[n]?.[1] ?? '').split(' ');
}

/** Starts the server that a README names on a free port, for as long as `work` lasts. */
async function serving<T>([program, ...args]: string[], work: (url: string) => Promise<T>): Promise<T> {
  const onFreePort = args.map((arg, at) => (args[at - 1] === '--port' ? '0' : arg));
  const child = spawn(program ?? '', onFreePort, { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      const url = /^serving \S+ at (\S+)$/.exec(line)?.[1];
      if (url !== undefined) return await work(url);
    }
    throw new Error('the server ended before it served');
  } finally {
    child.kill();
  }
}

/** The loss per completion token of the validation set, as an evaluation measures it, by the logprobs of a server. */
async function servedLoss(url: string, model: string, directory: string): Promise<number> {
  const config = JSON.parse(readFileSync(join(directory, 'config.json'), 'utf8')) as { eos_token_id: number };
  const endOfTurn = config.eos_token_id;
  const lines = readFileSync(small.val, 'utf8').trim().split('\n');
  let [sum, count] = [0, 0];
  for (const line of lines) {
    const { prompt, completion } = JSON.parse(line) as { prompt: string; completion: string };
    const ask = (path: string, body: object) =>
      fetch(url.replace('/v1', '') + path, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }).then((answer) => answer.json() as Promise<never>);
    const tokensOf = async (text: object) =>
      ((await ask('/tokenize', { model, ...text })) as { tokens: number[] }).tokens;
    const asked = await tokensOf({ messages: [{ role: 'user', content: prompt }] });
    const answer = [...(await tokensOf({ prompt: completion, add_special_tokens: false })), endOfTurn];
    const request = { model, prompt: [...asked, ...answer], max_tokens: 1, temperature: 0, prompt_logprobs: 0 };
    const { choices } = (await ask('/v1/completions', request)) as {
      choices: { prompt_logprobs: (Record<string, { logprob: number }> | null)[] }[];
    };
    for (const at of (choices[0]?.prompt_logprobs ?? []).slice(asked.length)) {
      sum -= Object.values(at ?? {})[0]?.logprob ?? Number.NaN;
      count += 1;
    }
  }
  return sum / count;
}

test.each(
  variants.map(([what, , off]) => [what, off] as const),
)('an exported %s, served as its README says, is what was evaluated', async (what, off) => {
  const run = runs[what] as Run;
  const directory = join(tandem.directory, `exported-${what}`);
  const said = await exportTo(directory, `${run.id}/best`);

  const exported = await tandem.get<CheckpointExport>(`/runs/${run.id}/checkpoints/best/export?directory=${directory}`);
  expect(said.trimEnd().endsWith(exported.command_line)).toBe(true);
  expect(readdirSync(directory).sort()).toEqual([...exported.files.map(({ path }) => path), 'README.md'].sort());
  for (const { path, sha256 } of exported.files) {
    expect(
      createHash('sha256')
        .update(readFileSync(join(directory, path)))
        .digest('hex'),
      path,
    ).toBe(sha256);
  }
  // An option that vLLM does not have, or a rank that it does not have, is refused here as there.
  expect(parseCommand(commandOf(directory, 0), {}).server.loraModules).toEqual(
    what === 'model' ? {} : { [exported.name]: directory },
  );

  const served = await serving(commandOf(directory, 1), (url) => servedLoss(url, exported.name, directory));
  expect(Math.abs(served - (run.latest_evaluation?.eval_loss ?? Number.NaN))).toBeLessThan(off);
  if (what !== 'qlora') return;

  // On the weights in 4 bits it was trained on, which its README names too, it is the same to the last digit that was measured.
  expect(readFileSync(join(directory, 'README.md'), 'utf8')).toContain(
    '--quantization bitsandbytes serves it as it was trained',
  );
  const quantised = [...commandOf(directory, 1), '--quantization', 'bitsandbytes'];
  const asTrained = await serving(quantised, (url) => servedLoss(url, exported.name, directory));
  expect(asTrained).toBeCloseTo(run.latest_evaluation?.eval_loss ?? Number.NaN, 4);
  expect(asTrained).not.toBe(served);
});

test('a broken file is fetched again, and what is whole is left alone', async () => {
  const directory = join(tandem.directory, 'exported-adapter');
  writeFileSync(join(directory, 'adapter_model.safetensors'), 'broken');
  const said = await exportTo(directory, runs['adapter']?.id ?? '');
  expect(said).toMatch(/adapter_model\.safetensors .* verified$/m);
  expect(said).toMatch(/tokenizer\.json .* is there already$/m);
});

test.skipIf(!existsSync(python))(
  'PEFT and transformers open each (else skipped: TANDEM_TORCH_PYTHON names no Python with them)',
  async () => {
    // One Python for all: most of the time goes into its imports.
    const asks = variants.map(([what]) => {
      const code = commandOf(join(tandem.directory, `exported-${what}`), 2).join(' ');
      return `${code}\nprint(type(model).__name__, len(tokenizer("12+34=").input_ids))`;
    });
    const env = { PATH: process.env['PATH'] ?? '', HF_HUB_OFFLINE: '1', CUDA_VISIBLE_DEVICES: '' };
    const { stdout } = await promisify(execFile)(python, ['-c', asks.join('\n')], { env });
    expect(stdout.trim()).toMatch(/^PeftModel\w* \d+\n\w+ForCausalLM \d+\nPeftModel\w* \d+$/);
  },
  120_000,
);
