import { cpSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { writeZip } from '../../services/trainer/checkpoint/zip-writer.ts';
import type { Tandem } from './tandem.ts';

/** `checkpoint-4` as the Hugging Face Trainer saved it. */
export const goldenCheckpoint = (kind: 'lora' | 'full'): string =>
  resolve(import.meta.dirname, '../golden/hf-trainer', kind, 'checkpoint-4');

/** Copies it to `<name>/checkpoint-4` below the control plane's data root; gives where it lies. */
export function copyGolden({ directory }: Pick<Tandem, 'directory'>, kind: 'lora' | 'full', name: string): string {
  const at = join(directory, name, 'checkpoint-4');
  cpSync(goldenCheckpoint(kind), at, { recursive: true });
  return at;
}

/** A file as torch.save lays it out, whose pickle is the one given. */
export async function writeTorchZip(file: string, pickle: string): Promise<void> {
  const handle = await open(file, 'w');
  try {
    await writeZip(handle, [
      ['archive/data.pkl', Buffer.from(pickle, 'latin1')],
      ['archive/byteorder', Buffer.from('little')],
      ['archive/version', Buffer.from('3\n')],
    ]);
  } finally {
    await handle.close();
  }
}

/** What Python's `pickle` would run: `os.system(command)`. */
export function callingPickle(command: string): string {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(Buffer.byteLength(command));
  return `\x80\x02cos\nsystem\nX${length.toString('latin1')}${command}\x85R.`;
}
