import { spawn } from 'node:child_process';
import { join, resolve } from 'node:path';

const mainFile = resolve(import.meta.dirname, '../../dist/services/control-plane/main.js');
const PATIENCE_MS = 20_000;

/** A start of a control plane that is to be refused: its exit code and what it printed. Needs `npm run build` to have been run. */
export async function failedStart(directory: string, env: Record<string, string>, args: readonly string[] = []) {
  const child = spawn(process.execPath, [mainFile, ...args], {
    cwd: directory,
    env: {
      PATH: process.env['PATH'] ?? '',
      PORT: '0',
      TANDEM_HOME: join(directory, 'home'),
      TANDEM_OUTPUTS: join(directory, 'outputs'),
      TANDEM_DATA_ROOTS: directory,
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (printed += String(chunk)));
  const overdue = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
  const code = await new Promise<number | null>((ended) => child.once('close', ended));
  clearTimeout(overdue);
  return { code, printed };
}
