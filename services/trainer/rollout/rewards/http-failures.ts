import { AddressRefusedError } from '../../../platform/address-policy.ts';
import { ReplyTooLong } from '../http-call.ts';
import { ScoringError } from './scorer.ts';

const SHOWN = 200;
const NO_ADDRESS = ['ENOTFOUND', 'EAI_AGAIN'];
const NO_WAY = ['EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT'];

/** Why no answer came, in words that follow the name of the reward. @param error what `httpCall` threw */
export function explainSilence(error: unknown, timeoutSeconds: number): ScoringError {
  if (error instanceof AddressRefusedError) {
    return new ScoringError(error.message, 'Let reward.url name a server whose address may be called.');
  }
  if (error instanceof ReplyTooLong) {
    return new ScoringError(`answers more than ${error.limit >> 20} MiB`, 'Let the server answer the scores alone.');
  }
  if (!(error instanceof Error)) throw error;
  const { code = '' } = error as NodeJS.ErrnoException;
  if (error.name === 'TimeoutError') {
    return new ScoringError(
      `gave no answer within ${timeoutSeconds} s`,
      'Raise timeout of the reward, or let the server score faster: it is asked for all completions of a task at once.',
    );
  }
  if (code === 'ECONNREFUSED') {
    return new ScoringError(
      'refuses connections: nothing listens there',
      'Start the server, or correct host and port of reward.url. In a container localhost is the container itself.',
    );
  }
  if (NO_ADDRESS.includes(code)) {
    return new ScoringError(
      `has a host name without an address (${code})`,
      'Correct the host of reward.url, as the trainer has to find it.',
    );
  }
  if (NO_WAY.includes(code)) {
    return new ScoringError(
      `cannot be reached (${code})`,
      'Look at the network and the firewall between the trainer and the server.',
    );
  }
  if (/CERT|SELF_SIGNED|TLS|SSL/.test(code)) {
    return new ScoringError(
      `has no certificate that is trusted (${code})`,
      'Give the server a certificate of a known authority, or use http within a network of your own.',
    );
  }
  return new ScoringError(
    `broke the connection (${code === '' ? error.message : code})`,
    'Look in the log of the server why it ended or gave the request up.',
  );
}

/** What an answer other than 200 means. */
export function explainStatus(status: number, text: string): ScoringError {
  const said = text.trim() === '' ? '' : `: ${text.trim().slice(0, SHOWN)}`;
  if (status >= 300 && status < 400)
    return new ScoringError(
      `redirects (${status}), which is not followed`,
      'Let reward.url name the address that it redirects to.',
    );
  return new ScoringError(`answers ${status}${said}`, remedyFor(status));
}

function remedyFor(status: number): string {
  if (status >= 500)
    return 'Look in the log of the server what failed; raise retries of the reward where it is away for longer.';
  if (status === 429)
    return 'Let the server take more requests, put fewer tasks into a step, or raise retries of the reward: it is asked again after its Retry-After, up to a minute.';
  if (status === 408)
    return 'Let the server wait longer for a request, or look at the network between it and the trainer; raise retries of the reward.';
  if (status === 401 || status === 403)
    return 'It is asked without keys: let the server admit the trainer, or put one before it that adds the key.';
  if (status === 404 || status === 405) return 'Correct the path of reward.url: the server has to take a POST there.';
  if (status === 413) return 'Let the server take longer bodies, or lower num_rollouts or max_new_tokens.';
  if (status >= 400)
    return 'Let the server take what it is sent: {"completions", "completion_ids", "prompts", "answers", "columns"}.';
  return 'Let the server answer 200 with {"scores": [...]}.';
}

/** An answer that holds no scores. */
export function explainText(text: string, isJson: boolean): ScoringError {
  const shown = JSON.stringify(text.slice(0, SHOWN));
  return new ScoringError(
    isJson ? `answers ${shown}, which has no list "scores"` : `answers ${shown}, which is no JSON`,
    'Let the server answer {"scores": [...]} with one finite number for each completion, in their order.',
  );
}
