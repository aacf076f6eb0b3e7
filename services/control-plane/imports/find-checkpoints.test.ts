import { describe, expect, it } from 'vitest';
import { manifestOf, RUN } from '../checkpoints/checkpoint.fixtures.ts';
import { asListed, type FoundCheckpoint, findCheckpoints } from './find-checkpoints.ts';

const adapter = ['adapter_model.safetensors', 'adapter_config.json'];
const below = (folder: string, names: readonly string[]) => names.map((name) => `${folder}/${name}`);
const fileOf = (path: string) => ({ path, size: 3, sha256: 'a'.repeat(64) });
const brief = (name: string, paths: readonly string[]) =>
  findCheckpoints(name, paths).map(({ folder, layout, purpose, number }) => [
    folder,
    layout,
    purpose,
    number?.value ?? null,
  ]);

describe('the checkpoints in a folder', () => {
  it.each([
    ['an adapter of PEFT', 'my-adapter', adapter, [['', 'peft', 'step', null]]],
    [
      'a checkpoint of the Hugging Face Trainer',
      'checkpoint-40',
      [...adapter, 'trainer_state.json'],
      [['', 'hf-trainer', 'step', 40]],
    ],
    [
      'full weights in shards',
      'checkpoint-8',
      ['model.safetensors.index.json', 'model-00001-of-00002.safetensors'],
      [['', 'hf-trainer', 'step', 8]],
    ],
    [
      'a checkpoint of Tandem',
      'checkpoint-8',
      [...below('model', adapter), 'manifest.json'],
      [['', 'tandem', 'step', 8]],
    ],
    ['a state dict', 'final', ['model.pt'], [['', 'model-pt', 'final', null]]],
    [
      'an output folder with checkpoints, the best and the final one',
      'grpo_cua',
      [
        ...below('checkpoints/checkpoint-500', below('model', adapter)),
        ...below('best_model', adapter),
        ...below('final', adapter),
        'training_log.json',
      ],
      [
        ['checkpoints/checkpoint-500', 'tandem', 'step', 500],
        ['best_model', 'peft', 'best', null],
        ['final', 'peft', 'final', null],
      ],
    ],
    [
      'checkpoints by samples, and the best beside them or within',
      'run',
      [
        ...below('checkpoint-samples-1600', ['model.pt']),
        ...below('best', ['model.pt']),
        ...below('checkpoint-samples-1600/final', ['model.pt']),
      ],
      [
        ['checkpoint-samples-1600', 'samples', 'step', 1600],
        ['best', 'samples', 'best', null],
        ['checkpoint-samples-1600/final', 'samples', 'final', null],
      ],
    ],
    [
      'an output folder of the Trainer, whose own weights are the final ones',
      'out',
      [...adapter, ...below('checkpoint-2', adapter)],
      [
        ['checkpoint-2', 'peft', 'step', 2],
        ['', 'peft', 'final', null],
      ],
    ],
    ['no weights', 'out', ['training_log.json', 'checkpoint-5/optimizer.pt'], []],
  ])('are found: %s', (_, name, paths, expected) => {
    expect(brief(name, paths)).toEqual(expected);
  });

  it('are stored as Tandem has them, whatever their layout, without what nothing reads', () => {
    const [found] = findCheckpoints('x', [
      ...below('checkpoint-4', [
        ...adapter,
        'model.safetensors',
        'tokenizer.json',
        'chat_template.jinja',
        'optimizer.pt',
        'trainer_state.json',
      ]),
      ...below('checkpoint-4', ['training_args.bin', 'rng_state.pth', 'README.md', 'model/über.bin']),
    ]);
    expect(found?.files.map(({ to }) => to)).toEqual([
      'model/adapter_model.safetensors',
      'model/adapter_config.json',
      'tokenizer/tokenizer.json',
      'tokenizer/chat_template.jinja',
      'optimizer.pt',
      'trainer_state.json',
    ]);
    expect(
      Object.fromEntries(found?.leftOut.map(({ path, why }) => [path.replace('checkpoint-4/', ''), why]) ?? []),
    ).toEqual({
      'model.safetensors': 'lies beside an adapter, which is what was trained',
      'training_args.bin': 'is a pickle of Python objects, which is never read',
      'rng_state.pth': 'is a pickle of Python objects, which is never read',
      'README.md': 'is no part of a checkpoint',
      'model/über.bin': expect.stringContaining('has a name that the store cannot hold'),
    });
  });

  it('are exactly what a manifest beside them lists, whatever their names', () => {
    const present = new Set(
      below('checkpoint-4', ['model/model.safetensors', 'scaler.pt', 'notes.txt', 'optimizer.pt']),
    );
    const [found] = findCheckpoints('x', present);
    const listing = (...paths: string[]) => manifestOf(RUN, 1, 4, ['step'], { files: paths.map(fileOf) });
    const listed = asListed(found as FoundCheckpoint, listing('model/model.safetensors', 'scaler.pt'), present);
    expect(listed.files).toEqual([
      { from: 'checkpoint-4/model/model.safetensors', to: 'model/model.safetensors' },
      { from: 'checkpoint-4/scaler.pt', to: 'scaler.pt' },
    ]);
    expect(listed.leftOut).toEqual([
      { path: 'checkpoint-4/notes.txt', why: 'is no part of a checkpoint' },
      { path: 'checkpoint-4/optimizer.pt', why: 'is not listed in manifest.json' },
    ]);
    expect(() => asListed(found as FoundCheckpoint, listing('scheduler.pt'), present)).toThrow(
      'checkpoint-4/scheduler.pt is missing, and manifest.json lists it',
    );
  });
});
