import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decodePickle } from './pickle-reader.ts';
import { type FloatTensor, type PyValue, pyDict, pyFloat, pyTuple } from './pickle-value.ts';
import { encodePickle } from './pickle-writer.ts';
import { openTorchFile, writeTorchFile } from './torch-file.ts';
import { asDict, isStoredTensor } from './torch-value.ts';
import { writeZip } from './zip-writer.ts';

const golden = (name: string) => fileURLToPath(new URL(`../../../test/golden/trainer/torch/${name}`, import.meta.url));

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(path.join(os.tmpdir(), 'tandem-torch-'));
});
afterAll(() => rm(directory, { recursive: true }));

describe('a file of torch.save', () => {
  test('gives its tensors of every type and view, and its plain values', async () => {
    const expected: Record<string, { shape: number[]; data: number[] }> = JSON.parse(
      await readFile(golden('values.json'), 'utf8'),
    );
    const file = await openTorchFile(golden('values.pt'));
    const tensors = asDict(asDict(file.value)?.get('tensors'));
    expect([...(tensors?.keys() ?? [])]).toEqual(Object.keys(expected).filter((name) => name !== 'torch'));
    for (const [name, tensor] of tensors ?? []) {
      if (!isStoredTensor(tensor)) throw new Error(`${name} is no tensor`);
      expect({ name, shape: tensor.shape, data: [...(await file.readFloats(tensor))] }).toEqual({
        name,
        ...expected[String(name)],
      });
    }
    await file.close();
    expect(asDict(file.value)?.get('plain')).toEqual(
      pyDict<FloatTensor>([
        ['int', 5],
        ['byte', 200],
        ['short', 40000],
        ['negative', -3],
        ['long', 5_000_000_000],
        ['minus_long', -(2 ** 40)],
        ['float', pyFloat(1)],
        ['text', 'é😀'],
        ['none', null],
        ['flags', [true, false]],
        ['tuple', pyTuple<FloatTensor>(1, pyFloat(2.5), 'x', pyTuple())],
        ['nested', pyDict<FloatTensor>([['list', [[1], []]]])],
        ['size', pyTuple<FloatTensor>(3, 4)],
      ]),
    );
  });

  test('what is written is read back equal', async () => {
    const value: PyValue<FloatTensor> = pyDict<FloatTensor>([
      ['tensor', { kind: 'tensor', shape: [2, 2], data: Float32Array.of(1, -2, 0.1, Number.NaN) }],
      ['scalar', { kind: 'tensor', shape: [], data: Float32Array.of(7) }],
      ['ints', [0, 255, 256, 65_535, 65_536, -1, 2 ** 31, -(2 ** 31) - 1, Number.MAX_SAFE_INTEGER]],
      ['floats', [pyFloat(1), pyFloat(-0), pyFloat(1e-8), pyFloat(Number.POSITIVE_INFINITY)]],
      ['others', pyTuple<FloatTensor>('x'.repeat(300), 'é', true, false, null)],
      [7, []],
    ]);
    const at = path.join(directory, 'round.pt');
    await writeTorchFile(at, 'round', value);
    const file = await openTorchFile(at);
    const read = asDict(file.value)!;
    for (const key of ['ints', 'floats', 'others', 7])
      expect(read.get(key)).toEqual((value as Map<unknown, unknown>).get(key));
    const [tensor, scalar] = [read.get('tensor'), read.get('scalar')];
    if (!isStoredTensor(tensor) || !isStoredTensor(scalar)) throw new Error('no tensors');
    expect(tensor.shape).toEqual([2, 2]);
    expect([await file.readFloats(tensor), await file.readFloats(scalar)]).toEqual([
      Float32Array.of(1, -2, 0.1, Number.NaN),
      Float32Array.of(7),
    ]);
    await file.close();
  });

  test('an integer that is not exact is refused instead of being rounded', () => {
    expect(() => encodePickle(0.5)).toThrow('write it as a float');
    expect(() => encodePickle(2 ** 60)).toThrow('no exact integer');
  });

  test('a storage of another size than its tensor says is refused', async () => {
    const { bytes } = encodePickle({ kind: 'tensor', shape: [4], data: new Float32Array(4) });
    const at = await torchFile('short.pt', bytes, Buffer.alloc(12));
    const file = await openTorchFile(at);
    if (!isStoredTensor(file.value)) throw new Error('no tensor');
    await expect(file.readFloats(file.value)).rejects.toThrow('has 12 bytes in data/0; its tensor needs 16');
    await file.close();
  });

  test('a ZIP that torch did not write, and big-endian values, are refused', async () => {
    const at = path.join(directory, 'other.zip');
    await zipFile(at, [['readme', Buffer.from('x')]]);
    await expect(openTorchFile(at)).rejects.toThrow('has no data.pkl');
    await zipFile(at, [
      ['x/data.pkl', Buffer.from('\x80\x02N.', 'latin1')],
      ['x/byteorder', Buffer.from('big')],
    ]);
    await expect(openTorchFile(at)).rejects.toThrow('byte order "big"');
  });
});

describe('a hostile pickle', () => {
  test.each([
    ['os.system', 'cos\nsystem\n(X\x02\x00\x00\x00lstR.', 'refers to "os.system"'],
    ['builtins.eval', 'cbuiltins\neval\n.', 'refers to "builtins.eval"'],
    ['a torch function', 'ctorch.hub\nload\n.', 'refers to "torch.hub.load"'],
    ['a whole module', 'ctorch.nn.modules.linear\nLinear\n)\x81.', 'refers to "torch.nn.modules.linear.Linear"'],
    ['a property of Object', 'ctorch\nconstructor\n.', 'refers to "torch.constructor"'],
    ['STACK_GLOBAL', 'X\x02\x00\x00\x00osX\x06\x00\x00\x00system\x93.', 'uses the pickle opcode'],
    ['INST', '(ios\nsystem\n.', 'uses the pickle opcode "i"'],
    ['NEWOBJ', ')\x81.', 'uses the pickle opcode'],
    ['an extension', '\x82\x01.', 'uses the pickle opcode'],
    ['state set on a list', '](NNb.', 'sets the state of an object'],
    ['a call of a value', 'N)R.', 'calls something that is not a constructor'],
    ['a call of a storage class', 'ctorch\nFloatStorage\n)R.', 'with arguments it does not take'],
    ['a damaged tensor', 'ctorch._utils\n_rebuild_tensor_v2\n)R.', 'holds a damaged tensor'],
    [
      'a storage with a path for its key',
      `(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x05\x00\x00\x00../..NK\x01tQ.`,
      'not a tensor storage',
    ],
    ['a dict key that is a list', '}]Ns.', 'neither a string nor an int'],
    ['a bare name', 'ctorch\nFloatStorage\n.', 'neither a tensor nor a plain value'],
    ['items of no dict', ']K\x01K\x02s.', 'not a dict'],
    ['an append to no list', '}K\x01a.', 'not a list'],
    ['a recalled value that was never stored', 'h\x05.', 'damaged'],
    ['an empty stack', '.', 'damaged'],
    ['values left over', 'NN.', 'damaged'],
    ['a huge integer', '\x8a\x09\xff\xff\xff\xff\xff\xff\xff\xff\x7f.', 'beyond 2^53'],
    ['protocol 4', '\x80\x04N.', 'protocol 4'],
    ['no end', '\x80\x02N', 'cut off'],
    ['a string longer than the file', 'X\xff\xff\xff\x7fabc', 'cut off'],
  ])('with %s is refused', (_, pickle, message) => {
    expect(() => decodePickle(Buffer.from(pickle, 'latin1'))).toThrow(message);
  });

  test('a tensor that repeats or leaves its storage is refused', () => {
    const tensor = (shape: string, strides: string, offset = 'K\x00') =>
      `ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQ${offset}${shape}${strides}\x89)tR.`;
    expect(() => decodePickle(Buffer.from(tensor('J\xff\xff\xff\x7f\x85', 'K\x00\x85'), 'latin1'))).toThrow(
      'does not fit its storage',
    );
    expect(() => decodePickle(Buffer.from(tensor('K\x04\x85', 'K\x01\x85', 'K\x01'), 'latin1'))).toThrow(
      'does not fit its storage',
    );
    expect(() => decodePickle(Buffer.from(tensor('K\x02\x85', 'K\x04\x85'), 'latin1'))).toThrow(
      'does not fit its storage',
    );
    expect(() => decodePickle(Buffer.from(tensor('K\x04\x85', 'J\xff\xff\xff\xff\x85'), 'latin1'))).toThrow(
      'damaged tensor',
    );
    expect(decodePickle(Buffer.from(tensor('K\x04\x85', 'K\x01\x85'), 'latin1'))).toMatchObject({
      shape: [4],
      elements: 4,
    });
  });

  test.each([
    ['lists', ']'],
    ['references to one value', `]q\x00${'h\x00'.repeat(8)}`],
  ])('of millions of %s is refused before it fills the memory', (_, operations) => {
    expect(() => decodePickle(Buffer.from(operations.repeat(4_000_001), 'latin1'))).toThrow(
      'has a pickle of more than',
    );
  });

  test('whose list holds itself, and lists that double a thousand times over, are read without walking them', () => {
    const doubled = `](]q\x00${']q\x01h\x00ah\x00aq\x00'.repeat(1000)}e.`;
    expect(decodePickle(Buffer.from(doubled, 'latin1'))).toHaveLength(1001);
    const nested = `]q\x00h\x00a.`;
    const list = decodePickle(Buffer.from(nested, 'latin1')) as unknown[];
    expect(list[0]).toBe(list);
  });

  test('with a thousand tensors over one storage is not read a thousand times', async () => {
    const { bytes } = encodePickle({ kind: 'tensor', shape: [4096], data: new Float32Array(4096) });
    const file = await openTorchFile(await torchFile('shared.pt', bytes, Buffer.alloc(16_384)));
    if (!isStoredTensor(file.value)) throw new Error('no tensor');
    const tensor = file.value;
    const all = (async () => {
      for (let i = 0; i < 1000; i++) await file.readFloats(tensor);
    })();
    await expect(all).rejects.toThrow('share their values many times over');
    await file.close();
  });

  test('a real torch pickle with any byte changed is read or refused, never a crash of another kind', async () => {
    const { bytes } = encodePickle(
      pyDict<FloatTensor>([
        ['a', { kind: 'tensor', shape: [2], data: new Float32Array(2) }],
        ['b', [1, pyFloat(2)]],
      ]),
    );
    for (let i = 0; i < bytes.length; i++) {
      for (const value of [0, 0x28, 0x52, 0x71, 0xff]) {
        const changed = Buffer.from(bytes);
        changed[i] = value;
        try {
          decodePickle(changed);
        } catch (error) {
          expect(Object.getPrototypeOf(error)).toBe(Error.prototype);
        }
      }
    }
  });
});

async function torchFile(name: string, pickle: Uint8Array, storage: Uint8Array): Promise<string> {
  const at = path.join(directory, name);
  await zipFile(at, [
    ['x/data.pkl', pickle],
    ['x/data/0', storage],
  ]);
  return at;
}

async function zipFile(at: string, entries: readonly (readonly [string, Uint8Array])[]): Promise<void> {
  const handle = await open(at, 'w');
  await writeZip(handle, entries);
  await handle.close();
}
