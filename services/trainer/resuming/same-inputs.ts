import { TrainerError } from '../failure.ts';
import type { Policy } from '../learner/policy.ts';
import type { Session } from '../session.ts';
import type { Candidate } from './own-manifest.ts';

/** What a checkpoint records hashes of, in words. */
const inputNames = {
  model: 'base model',
  tokenizer: 'tokenizer',
  train_data: 'training data',
  reward: 'reward function',
} as const;

/** Positions in the data count the rows that are used. */
const CHOICE = ', with the data.columns, data.on_invalid and lengths that chose its rows';

/**
 * A run goes on with what it was trained from: with other data its steps and metrics would mean something else under the same name. A fork may change it,
 * and says so, but an adapter means nothing on another base model. Checkpoints that record no hashes are taken as they are.
 *
 * @throws TrainerError `invalid_checkpoint` with both hashes.
 */
export function requireSameInputs(
  session: Pick<Session, 'attempt' | 'logs'>,
  { manifest, label, folder }: Candidate,
  { policy, inputs }: { readonly policy: Pick<Policy, 'lora'>; readonly inputs: Readonly<Record<string, string>> },
): void {
  const forked = folder || manifest?.run !== session.attempt.run;
  for (const [name, words] of Object.entries(inputNames)) {
    const [was, is] = [manifest?.inputs[name], inputs[name]];
    if (was === undefined || was === is) continue;
    const hashes = `sha256 ${was.slice(0, 12)}…, this run has ${is === undefined ? 'none' : `${is.slice(0, 12)}…`}`;
    if (!forked || (name === 'model' && policy.lora !== null)) {
      throw new TrainerError(
        'invalid_checkpoint',
        `${label} was trained from another ${words} (${hashes})`,
        name === 'model' && policy.lora !== null
          ? 'Resume with the model it was trained from.'
          : `Put the ${words} back that it was trained from${name === 'train_data' ? CHOICE : ''}, or fork the run to go on with this one (fork: true).`,
      );
    }
    if (name !== 'train_data')
      session.logs.training.warning(`The ${words} is another than the checkpoint's (${hashes})`);
  }
}
