import { TrackerError, type TrackerWords } from '../tracker-error.ts';
import { askTracker, sayable } from '../tracker-request.ts';
import type { WandbSettings } from './wandb-settings.ts';

const MAX_ANSWER = 32 * 2 ** 20;

const words: TrackerWords = {
  unknown:
    'it does not know the key; set WANDB_API_KEY to a key of that server (its page /authorize shows it), and WANDB_BASE_URL if it is your own',
  forbidden:
    'the key may not write there; set WANDB_ENTITY or monitoring.wandb_entity to a team that the key belongs to, or use another key',
  refused: 'look at the project and the run there; force_new_wandb_run or another wandb_run_id starts a new one',
  unreachable: 'look whether this machine may reach it, or set WANDB_BASE_URL; until then rows lie in wandb_backup/',
  notJson: 'look whether WANDB_BASE_URL is a W&B server',
};

/**
 * Posts JSON to W&B and gives its JSON answer. `what` is what the request does, for messages.
 * @throws TrackerError; what `signal` was aborted with
 */
export async function postJson(
  path: string,
  body: unknown,
  {
    settings,
    what,
    signal,
    now,
    idleMs,
  }: { settings: WandbSettings; what: string; signal: AbortSignal; now: () => number; idleMs: number },
): Promise<unknown> {
  const { baseUrl, apiKey } = settings;
  if (apiKey === null) {
    throw new TrackerError('key', 'WANDB_API_KEY is not set; set it in .env and start the control plane again');
  }
  const server = {
    ...{ url: baseUrl, secret: apiKey, idleMs, maxAnswer: MAX_ANSWER, empty: undefined, saidIn, words, now },
    authorization: `Basic ${Buffer.from(`api:${apiKey}`).toString('base64')}`,
  };
  const answer = await askTracker(server, { method: 'POST', path, body, what, signal });
  const refusal = graphqlError(answer);
  if (refusal === null) return answer;
  const said = sayable(refusal, apiKey);
  throw new TrackerError(
    'refused',
    `${baseUrl} refused to ${what}: ${said}; look at the project, the entity and the run there`,
  );
}

function saidIn(answer: unknown): { said: string; code: null } {
  const { error, message } = (answer ?? {}) as { error?: unknown; message?: unknown };
  const plain = typeof error === 'string' ? error : typeof message === 'string' ? message : '';
  return { said: graphqlError(answer) ?? plain, code: null };
}

/** GraphQL answers 200 to what it refuses. */
function graphqlError(answer: unknown): string | null {
  const { errors } = (answer ?? {}) as { errors?: { message?: unknown }[] };
  if (!Array.isArray(errors) || errors.length === 0) return null;
  return errors.map(({ message }) => String(message)).join('; ');
}
