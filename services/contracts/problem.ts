import { z } from 'zod';
import { field } from './field.ts';

/**
 * Every problem the API answers with (RFC 9457), by its stable type. `title` is the same each time; `detail` says what is wrong,
 * where, and the remedy; `example` is such a detail.
 */
export const problems = {
  'invalid-request': {
    status: 400,
    title: 'The request is malformed',
    example: 'query.limt: unknown parameter; did you mean limit?',
  },
  unauthorized: {
    status: 401,
    title: 'A valid token is needed',
    example: 'This address needs a token: send the header `Authorization: Bearer <TANDEM_API_KEY>`.',
  },
  'forbidden-host': {
    status: 403,
    title: 'This host name or origin is not served',
    example: 'The host name tandem.example is not served here; add it to TANDEM_ALLOWED_HOSTS if it is yours.',
  },
  'not-found': {
    status: 404,
    title: 'There is no such thing',
    example: 'There is no run run-7k3m9q2d; GET /runs lists those there are.',
  },
  'method-not-allowed': {
    status: 405,
    title: 'This resource has no such method',
    example: '/runs has no PUT; it has GET, HEAD, POST.',
  },
  'not-acceptable': {
    status: 406,
    title: 'None of the accepted media types can be produced',
    example: 'This answers application/json; the header Accept allows only image/png.',
  },
  conflict: {
    status: 409,
    title: 'The current state does not allow this',
    example: 'run-7k3m9q2d is running; pause or cancel it first.',
  },
  'record-gap': {
    status: 409,
    title: 'Records are missing',
    example: 'The next record of run-7k3m9q2d.a1 is 18, this batch starts with 20; send them again from 18.',
  },
  'idempotency-mismatch': {
    status: 409,
    title: 'This Idempotency-Key was used for another request',
    example: 'The Idempotency-Key submit-7 was used for another request within 24 hours; use a new key.',
  },
  'attempt-closed': {
    status: 410,
    title: 'This attempt is over',
    example: 'run-7k3m9q2d.a1 is over; stop at once without saving.',
  },
  'payload-too-large': {
    status: 413,
    title: 'The body is too large',
    example: 'The body is larger than 1 MiB, the most that is read here.',
  },
  'unsupported-media-type': {
    status: 415,
    title: 'The body has a type that is not read here',
    example:
      'The body is application/x-www-form-urlencoded; send application/json or application/yaml (header Content-Type).',
  },
  'range-not-satisfiable': {
    status: 416,
    title: 'The range lies outside the file',
    example: 'The file has 42624 bytes; ask for a range within bytes=0-42623.',
  },
  'invalid-spec': {
    status: 422,
    title: 'The run spec is not valid',
    example: 'training.batch_sise: unknown key; did you mean training.batch_size?',
  },
  'cannot-place': {
    status: 422,
    title: 'This host cannot run it',
    example: 'gpu_profile split-8 needs 8 GPUs, runs of this build have 0; leave gpu_profile out to run on the CPU.',
  },
  'checkpoint-unusable': {
    status: 422,
    title: 'The checkpoint cannot be used',
    example:
      'run-7k3m9q2d has no checkpoint-40 on its lineage; GET /runs/run-7k3m9q2d/checkpoints lists those there are.',
  },
  'too-many-requests': {
    status: 429,
    title: 'Too many requests at once',
    example: '64 streams are open, the most that are served; close one or try again later.',
  },
  internal: {
    status: 500,
    title: 'Tandem failed',
    example: 'Tandem failed while answering this; its log says more under this instance id.',
  },
  'store-refused': {
    status: 502,
    title: 'The object store refuses what this needs',
    example:
      'The object store at http://127.0.0.1:9000 denies access; allow the keys to list, read, write and delete in the bucket tandem.',
  },
  unavailable: {
    status: 503,
    title: 'Tandem cannot serve this at the moment',
    example: 'Running programs are still being taken over after a start; try again in a few seconds.',
  },
} as const satisfies Record<string, { status: number; title: string; example: string }>;

/** Problems any call may answer with, besides its own. */
export const commonProblems = ['unauthorized', 'forbidden-host', 'not-acceptable', 'internal'] as const;

export type ProblemType = keyof typeof problems;

export const PROBLEM_MEDIA_TYPE = 'application/problem+json';

export const problemSchema = z
  .strictObject({
    type: field(z.string(), 'Stable name of the problem, a URN.', 'urn:tandem:problem:invalid-spec'),
    title: field(z.string(), 'The kind of problem; always the same for a type.', 'The run spec is not valid'),
    status: field(z.int(), 'HTTP status.', 422),
    detail: field(
      z.string(),
      'What is wrong, where, and the remedy.',
      'training.batch_sise: unknown key; did you mean training.batch_size?',
    ),
    instance: field(
      z.string(),
      'Id of this occurrence, also in the log of the control plane.',
      'urn:uuid:2a7ad3d0-6f35-4f6c-9d0e-6f6a3c1fb0a1',
    ),
    issues: field(
      z
        .array(
          z
            .strictObject({
              path: field(z.string(), 'Where in the document.', 'training.batch_sise'),
              message: field(z.string(), 'What is wrong there.', 'unknown key; did you mean training.batch_size?'),
            })
            .meta({ id: 'Issue' }),
        )
        .optional(),
      'Everything that is wrong with the document, when there is more to say than `detail` does.',
      [{ path: 'training.batch_sise', message: 'unknown key; did you mean training.batch_size?' }],
    ),
  })
  .meta({ id: 'Problem', description: 'An error, by RFC 9457.' });
export type Problem = z.infer<typeof problemSchema>;
