import { readFile } from 'node:fs/promises';
import { attemptIdPattern } from '../contracts/agent-operations.ts';
import { TrainerError } from './failure.ts';

/** What the control plane hands a trainer at its start. */
export interface AttemptEnvironment {
  readonly agentUrl: string;
  /** `run-7k3m9q2d.a1` */
  readonly attempt: string;
  readonly token: string;
  readonly workspace: string;
}

/**
 * Reads `TANDEM_AGENT_URL`, `TANDEM_ATTEMPT_ID`, `TANDEM_TOKEN_FILE` and `TANDEM_WORKSPACE`.
 * @throws TrainerError `invalid_spec` naming the variable.
 */
export async function readAttemptEnvironment(env: Readonly<NodeJS.ProcessEnv>): Promise<AttemptEnvironment> {
  const attempt = required(env, 'TANDEM_ATTEMPT_ID');
  if (!attemptIdPattern.test(attempt)) throw wrong('TANDEM_ATTEMPT_ID', `is ${attempt}; it looks like run-7k3m9q2d.a1`);
  const tokenFile = required(env, 'TANDEM_TOKEN_FILE');
  const token = await readFile(tokenFile, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw wrong('TANDEM_TOKEN_FILE', `names ${tokenFile}, which cannot be read (${error.code})`);
  });
  const agentUrl = required(env, 'TANDEM_AGENT_URL');
  if (!URL.canParse(agentUrl)) throw wrong('TANDEM_AGENT_URL', `is ${agentUrl}, which is no URL`);
  return { agentUrl, attempt, token: token.trim(), workspace: required(env, 'TANDEM_WORKSPACE') };
}

function required(env: Readonly<NodeJS.ProcessEnv>, name: string): string {
  const value = env[name];
  if (value === undefined || value === '') throw wrong(name, 'is not set');
  return value;
}

function wrong(name: string, problem: string): TrainerError {
  return new TrainerError(
    'invalid_spec',
    `${name} ${problem}`,
    'The control plane sets it; see services/contracts/agent.md.',
  );
}
