import type { ProblemType } from '../../contracts/problem.ts';

/** One thing that is wrong with a document: where, and what. */
export interface ProblemIssue {
  path: string;
  message: string;
}

/**
 * An error that the API answers as an RFC 9457 problem. `detail` is shown to the user: it says what is wrong, where, and the remedy.
 * Thrown anywhere in the control plane; `problem-response.ts` turns it into an answer.
 */
export class ProblemError extends Error {
  readonly type: ProblemType;
  readonly issues: readonly ProblemIssue[] | undefined;

  constructor(
    type: ProblemType,
    detail: string,
    options: { issues?: readonly ProblemIssue[] | undefined; cause?: unknown } = {},
  ) {
    super(detail, 'cause' in options ? { cause: options.cause } : undefined);
    this.name = 'ProblemError';
    this.type = type;
    this.issues = options.issues;
  }
}
