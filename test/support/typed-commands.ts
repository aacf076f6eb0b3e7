import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';

const execute = promisify(execFile);
const readme = readFileSync('services/control-plane/checkpoints/README.md', 'utf8');

/**
 * Types the `curl` lines of `services/control-plane/checkpoints/README.md` as they stand there: the one that holds the given words, run by a shell in
 * `directory`. Gives what it prints; what fails throws.
 */
export function commandTypist({ url, run, directory }: { url: string; run: string; directory: string }) {
  return (words: string): Promise<string> => {
    const lines = readme.split('\n').filter((line) => line.startsWith('curl ') && line.includes(words));
    if (lines.length !== 1) throw new Error(`${lines.length} lines of the page hold ${words}`);
    return shell(lines[0] as string, { directory, env: { URL: `${url}/runs/${run}/checkpoints` } });
  };
}

/** What a command prints. Not waited for by `spawnSync`: the proxy before the store runs in the process of the test. @throws when it fails */
export async function shell(
  command: string,
  { directory, env = {} }: { directory: string; env?: Record<string, string> },
): Promise<string> {
  const environment = { PATH: process.env['PATH'] ?? '', ...env };
  return (await execute('bash', ['-c', command], { cwd: directory, env: environment })).stdout;
}
