import type { z } from 'zod';
import { explainIssue } from '../../contracts/explain-issue.ts';
import { ProblemError, type ProblemIssue } from './problem-error.ts';

/** The problem for a part of a request that does not fit its schema. `where` names the part: query, headers, params or body. */
export function invalidRequest(where: string, issues: readonly ProblemIssue[]): ProblemError {
  const located = issues.map(({ path, message }) => ({ path: path === '' ? where : `${where}.${path}`, message }));
  const [first, ...rest] = located;
  const more = rest.length === 0 ? '' : ` (and ${rest.length} more, see issues)`;
  const detail = first === undefined ? `${where}: is malformed` : `${first.path}: ${first.message}${more}`;
  return new ProblemError('invalid-request', detail, { issues: located });
}

/** What a schema has to say about a document, one entry per place. At most 100, so that an answer stays readable. */
export function toIssues(error: z.core.$ZodError, document: unknown): ProblemIssue[] {
  return error.issues.slice(0, 100).flatMap((issue) => {
    const path = issue.path.map(String).join('.');
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({
        path: path === '' ? key : `${path}.${key}`,
        message: 'unknown key; leave it out',
      }));
    }
    return [{ path, message: explainIssue(issue, document) }];
  });
}
