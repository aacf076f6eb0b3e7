import { cpSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Run } from '../../services/contracts/run.ts';
import { editJson, editTensors } from '../support/edit-model.ts';
import { makeSmallRuns, type SmallRuns } from '../support/small-runs.ts';
import { ended, startTandem, type Tandem } from '../support/tandem.ts';

const full = process.env['TANDEM_TEST_FULL'] === '1';
let tandem: Tandem;
let small: SmallRuns;

beforeAll(async () => {
  tandem = await startTandem({ TANDEM_SLOTS: '2' });
  small = await makeSmallRuns(tandem);
});
afterAll(() => tandem?.dispose());

/** The run fails for good with this reason, and says what is wrong, where, and what to do. */
async function expectFailure(spec: object, reason: string, ...parts: string[]): Promise<void> {
  const { id } = await tandem.post<Run>('/runs', spec);
  const run = await tandem.until(id, ended);
  expect(run, run.message).toMatchObject({ status: 'failed', reason, attempts: [{ number: 1 }] });
  for (const part of parts) expect(run.message).toContain(part);
  expect(run.message).not.toMatch(/\n\s*at |\.js:\d+/);
  const [last] = (await tandem.events(id)).slice(-1);
  expect(last?.message).toContain(parts[0]);
}

describe('a model directory', () => {
  type Flaw = [what: string, spoil: (model: string) => void, ...parts: string[]];
  const ONE_MODEL = 'config.json and weights are of one model';
  const flaws: Flaw[] = [
    [
      'without a tensor',
      (model) =>
        editTensors(model, (header) => {
          header['model.norm.weigth'] = header['model.norm.weight'];
          delete header['model.norm.weight'];
        }),
      'model.norm.weigth',
      ONE_MODEL,
    ],
    [
      'with a tensor of another shape',
      (model) => editTensors(model, (header) => header['model.norm.weight']?.shape.unshift(1)),
      'model.norm.weight has shape [1,64], config.json expects [64]',
      ONE_MODEL,
    ],
    [
      'with a tokenizer of another model',
      (model) =>
        editJson(model, 'tokenizer.json', (tokenizer) => {
          const { vocab } = tokenizer['model'] as { vocab: Record<string, number> };
          vocab['a-token-of-another-model'] = 5000;
        }),
      'the tokenizer has ids up to 5000 but the model embeds 262',
      'Use the tokenizer that belongs to this model.',
    ],
  ];
  const copy = (name: string, spoil: (model: string) => void): string => {
    const model = join(tandem.directory, `model ${name}`);
    cpSync(small.model, model, { recursive: true });
    spoil(model);
    return model;
  };

  test('of an architecture that is not known is refused before there is a run, with those that are', async () => {
    const name = copy('of mamba', (model) =>
      editJson(model, 'config.json', (config) => Object.assign(config, { model_type: 'mamba' })),
    );
    const spec = small.sft({ max_steps: 2 });
    await expect(tandem.post('/runs', { ...spec, model: { ...spec.model, name } })).rejects.toThrow(
      /answered 422: .*model_type \\"mamba\\" is not supported; supported: model_type qwen2 \(Qwen2 and Qwen2\.5\)/,
    );
  });

  test.each<[what: string, spoil: (model: string) => void, why: RegExp]>([
    [
      'with weights that are cut off',
      (model) => truncateSync(join(model, 'model.safetensors'), 5000),
      /model\.safetensors .*; copy or download it again/,
    ],
    ['without a tokenizer', (model) => rmSync(join(model, 'tokenizer.json')), /has no tokenizer\.json/],
  ])('%s is refused before there is a run', async (what, spoil, why) => {
    const spec = small.sft({ max_steps: 2 });
    await expect(tandem.post('/runs', { ...spec, model: { ...spec.model, name: copy(what, spoil) } })).rejects.toThrow(
      why,
    );
  });

  test.each(flaws)('%s fails the run at once', async (what, spoil, ...parts) => {
    const name = copy(what, spoil);
    const spec = small.sft({ max_steps: 2 });
    await expectFailure({ ...spec, model: { ...spec.model, name } }, 'invalid_model', name, ...parts);
  });

  test.each(
    flaws.slice(1, full ? 3 : 2),
  )('%s keeps the inference server from starting, and is quoted', async (what, spoil, problem) => {
    const name = copy(`${what}, served`, spoil);
    const spec = small.grpo({ max_steps: 1 });
    const refused = ['The inference server refused to start (exit code 66)', problem as string, name];
    await expectFailure({ ...spec, model: { ...spec.model, name } }, 'invalid_model', ...refused);
  });
});

describe('a dataset', () => {
  const good = '{"prompt":"1+1=","completion":"2"}\n';
  const flaws: [what: string, bytes: string | Buffer, ...parts: string[]][] = [
    ['with a line that is no JSON', `${good}hello\n`, ':2: is not JSON', 'Give each line as {"prompt"'],
    ['with a number for a prompt', `${good}{"prompt":3,"answer":"2"}\n`, ':2: prompt: must be a text, not 3'],
    ['with a line without an answer', `${good}{"prompt":"x"}\n`, ':2: has neither completion nor answer. Add what'],
    ['without examples', '\n\n', ' has no examples. Give one JSON object per line.'],
    ['in another encoding', Buffer.from([0x7b, 0xff, 0xfe, 0x0a]), ':1: the line is not UTF-8. Save the file as UTF-8'],
    ['with a prompt that is too long', good.replace('1+1', '1'.repeat(500)), 'model.max_seq_length is 64', 'Raise'],
    ['that is one JSON document', '[{"prompt":"1","answer":"2"}]', ':1: is no JSON object', 'Give each line as'],
  ];

  test.each(
    full ? flaws : flaws.slice(0, 2),
  )('%s fails the run at once, and is left as it is', async (what, bytes, ...parts) => {
    const file = join(tandem.directory, `${what}.jsonl`);
    writeFileSync(file, bytes);
    await expectFailure({ ...small.sft({ max_steps: 2 }), data: { train_data: file } }, 'invalid_data', file, ...parts);
    expect(readFileSync(file)).toEqual(Buffer.from(bytes));
  });
});
