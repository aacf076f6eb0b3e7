import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { posix } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { pack } from 'tar-stream';

/** Lies beside what was copied: `{files: [{path, size, sha256}]}`, paths below the volume. */
export const INPUT_LIST = '.tandem-input.json';
const TELL_MS = 2000;

export interface InputFile {
  /** Below the input; empty for an input that is a file itself, and `../…` for what lies beside that. */
  name: string;
  path: string;
  size: number;
  /** Milliseconds since the epoch. */
  modified: number;
}

export interface PackOptions {
  tell: (message: string) => void;
  now: () => number;
}

/** A tar stream of an input, with the hashes of what was read as its last file; `error`: what kept it from being read. Memory does not grow with its size. */
export function packInput(
  name: string,
  files: readonly InputFile[],
  owner: { uid: number; gid: number },
  options: PackOptions,
): { tar: Readable; error: () => Error | null } {
  const tar = pack();
  let failed: Error | null = null;
  let reading = name;
  void write().catch((error: unknown) => {
    failed = new Error(
      `${reading} could not be read to its end: ${error instanceof Error ? error.message : String(error)}`,
    );
    tar.destroy(failed);
  });
  return { tar: Readable.from(tar, { objectMode: false }), error: () => failed };

  async function write(): Promise<void> {
    const progress = createProgress(name, files, options);
    const list: { path: string; size: number; sha256: string }[] = [];
    for (const file of files) {
      reading = file.path;
      const path = posix.join(name, file.name);
      const digest = createHash('sha256');
      const entry = tar.entry({ name: path, size: file.size, mode: 0o644, ...owner });
      await pipeline(
        createReadStream(file.path),
        async function* (chunks: AsyncIterable<Buffer>) {
          for await (const chunk of chunks) {
            digest.update(chunk);
            progress(chunk.length);
            yield chunk;
          }
        },
        entry,
      );
      list.push({ path, size: file.size, sha256: digest.digest('hex') });
    }
    tar.entry({ name: INPUT_LIST, mode: 0o644, ...owner }, JSON.stringify({ files: list }));
    tar.finalize();
  }
}

/** Says every two seconds how far it is and how long it will take. */
function createProgress(
  name: string,
  files: readonly InputFile[],
  { tell, now }: PackOptions,
): (bytes: number) => void {
  const total = files.reduce((sum, { size }) => sum + size, 0);
  const startedAt = now();
  let done = 0;
  let toldAt = startedAt;
  return (bytes) => {
    done += bytes;
    if (now() - toldAt < TELL_MS) return;
    toldAt = now();
    const left = Math.ceil(((now() - startedAt) * (total - done)) / done / 1000);
    tell(
      `copies ${name} to the Docker host: ${Math.floor((100 * done) / total)} % of ${gib(total)}, about ${left} s left.`,
    );
  };
}

export function gib(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}
