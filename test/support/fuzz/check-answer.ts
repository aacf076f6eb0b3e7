import type { Operation } from '../../../services/contracts/operation.ts';
import { commonProblems, PROBLEM_MEDIA_TYPE, problemSchema } from '../../../services/contracts/problem.ts';
import type { FuzzAnswer } from './send.ts';

/** What is wrong with an answer by the contract of its operation; null when nothing is. */
export function faultOf(operation: Operation, answer: FuzzAnswer): string | null {
  if (answer.status >= 500) return `status ${answer.status}: ${answer.body.slice(0, 500)}`;
  return answer.status >= 400 ? problemFault(operation, answer) : successFault(operation, answer);
}

function problemFault({ problems }: Operation, { status, media, body }: FuzzAnswer): string | null {
  if (media !== PROBLEM_MEDIA_TYPE) return `status ${status} comes as ${media || 'nothing'}`;
  const parsed = problemSchema.safeParse(JSON.parse(body));
  if (!parsed.success) return `is no problem: ${parsed.error.message}`;
  const type = parsed.data.type.replace('urn:tandem:problem:', '');
  if (parsed.data.status !== status) return `says ${parsed.data.status} and is ${status}`;
  const documented: readonly string[] = [...problems, ...commonProblems];
  if (!documented.includes(type)) return `the problem ${type} is not documented`;
  return /\n\s+at |node_modules|\.ts:\d/.test(parsed.data.detail) ? `shows a stack trace: ${parsed.data.detail}` : null;
}

function successFault({ responses }: Operation, { status, media, body }: FuzzAnswer): string | null {
  const specs = responses.filter((spec) => spec.status === status);
  if (specs.length === 0) return `status ${status} is not documented`;
  const allowed = specs.flatMap((spec) => ('media' in spec ? spec.media : ['application/json']));
  if (
    media === '' &&
    body === '' &&
    (allowed.length === 0 || specs.some((spec) => 'media' in spec && spec.media.length === 0))
  )
    return null;
  if (!allowed.includes(media)) return `the media type ${media || 'of nothing'} is not documented for ${status}`;
  const schema = specs.find((spec) => spec.body !== undefined)?.body;
  if (media !== 'application/json' || schema === undefined) return null;
  const parsed = schema.safeParse(JSON.parse(body));
  return parsed.success ? null : `does not fit its schema: ${parsed.error.message}`;
}
