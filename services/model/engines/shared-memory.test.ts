import { expect, test } from 'vitest';
import { sharingMemory, withSharedMemory } from './shared-memory.ts';

const HEADER = [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
/** A section that no one needs, longer than one byte of length says, then a memory of 1 to 300 pages. */
const custom = [0, 0x85, 0x01, 4, 110, 97, 109, 101, ...new Array<number>(128).fill(5)];
const memory = (flags: number) => [5, 5, 1, flags, 1, 0xac, 2];

test('the memory of a module becomes a shared one, and nothing else changes', () => {
  const code = Uint8Array.from([...HEADER, ...custom, ...memory(1)]);
  expect(Array.from(withSharedMemory(code))).toEqual([...HEADER, ...custom, ...memory(3)]);
  expect(code.at(-4)).toBe(1);
});

test('a module without such a memory is refused', () => {
  for (const code of [
    [...HEADER, ...custom],
    [...HEADER, 5, 3, 1, 0, 1],
  ]) {
    expect(() => withSharedMemory(Uint8Array.from(code))).toThrow('has no memory of its own that could be shared');
  }
});

test('modules that are loaded meanwhile by others stay as they are', async () => {
  const { WebAssembly: wasm } = globalThis as unknown as {
    WebAssembly: { instantiate(code: Uint8Array, imports: object): Promise<object> };
  };
  const { instantiate } = wasm;
  const load = () => wasm.instantiate(Uint8Array.from(HEADER), {});
  await expect(sharingMemory(() => false, load)).resolves.toHaveProperty('instance');
  await expect(
    sharingMemory(
      () => true,
      async () => load(),
    ),
  ).rejects.toThrow('has no memory of its own');
  expect(wasm.instantiate).toBe(instantiate);
});
