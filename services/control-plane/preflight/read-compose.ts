import { createProgram, findProgram, ProgramError } from '../gpus/run-program.ts';

const LIMIT_MS = 10_000;

/** Version of the compose program of this host, the plugin before the older program; null without one. */
export async function readComposeProgram(
  environment: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal,
): Promise<string | null> {
  for (const [name, args] of [
    ['docker', ['compose', 'version', '--short']],
    ['docker-compose', ['version', '--short']],
  ] as const) {
    const path = await findProgram(name, environment['PATH']);
    if (path === null) continue;
    const program = createProgram({ path, environment, timeoutMs: LIMIT_MS });
    const answer = await program.run(args, signal).catch((error: unknown) => {
      if (error instanceof ProgramError) return null;
      throw error;
    });
    const version = answer?.stdout.trim().replace(/^v/, '');
    if (answer?.code === 0 && version) return version;
  }
  return null;
}
