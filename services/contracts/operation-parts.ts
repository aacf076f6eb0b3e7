import { z } from 'zod';
import { field } from './field.ts';
import { runIdSchema, runSchema } from './run.ts';

/** What several operations of the public API share: parameters, bodies and media types. */
export const JSON_OR_YAML = ['application/json', 'application/yaml'] as const;
export const SSE = 'text/event-stream';
export const FILE_MEDIA = ['application/octet-stream', 'application/json', 'text/plain'] as const;

export const runParams = z.object({ id: field(runIdSchema, 'Id of the run.', 'run-7k3m9q2d') });
export const checkpointName = field(
  z
    .string()
    .regex(
      /^(latest|best|final|checkpoint-\d+|a\d+\/checkpoint-\d+)$/,
      'latest, best, final, checkpoint-<step> or a<attempt>/checkpoint-<step>',
    ),
  '`latest`, `best`, `final`, `checkpoint-<step>` on the lineage, or `a<attempt>/checkpoint-<step>` (with the slash as %2F).',
  'latest',
);
export const idempotency = z.object({
  'idempotency-key': field(
    z.string().min(1).max(200).optional(),
    'Repeating an accepted request with the same key within 24 hours answers what the first one answered, and does nothing again.',
    '0d1c8f5e-submit-7',
  ),
});
/** A query parameter that is `true` or `false`, absent means false. */
export const flag = (description: string) =>
  z
    .stringbool({ truthy: ['true', '1'], falsy: ['false', '0'] })
    .default(false)
    .meta({ description, example: true, override: { type: 'boolean', default: false } });
export const follow = {
  follow: flag(
    'Stream as server-sent events: what there is, then what comes, until the run has ended. Resumes from `Last-Event-ID`.',
  ),
};
export const lastEventId = z.object({
  'last-event-id': field(
    z.string().max(100).optional(),
    'Id of the last event that was received; the stream goes on after it.',
    '12',
  ),
});
export const page = {
  limit: field(z.coerce.number().int().min(1).max(1000).default(50), 'Rows of a page.', 50),
  cursor: field(z.string().max(200).optional(), '`next` of the page before.', 'MjAyNi0xMS0yMA'),
};
export const next = field(z.string().nullable(), 'Cursor of the next page; null on the last.', null);

/** The status that makes an EventSource stop reconnecting. */
export const nothingLeft = {
  status: 204,
  description: 'With `follow` and `Last-Event-ID`: the run has ended and everything was sent.',
  media: [],
} as const;

export const runBody = (status: number, description: string) => ({ status, description, body: runSchema }) as const;
