import { z } from 'zod';
import { field } from './field.ts';

export const preflightVerdictSchema = z.enum(['ok', 'warning', 'missing', 'note']);
export type PreflightVerdict = z.infer<typeof preflightVerdictSchema>;

export const preflightCheckSchema = z
  .strictObject({
    name: field(z.string(), 'What was looked at.', 'docker'),
    verdict: field(
      preflightVerdictSchema,
      '`ok`; `warning`: works, and could be better; `missing`: runs cannot work without it; `note`: does not matter for what this host is used for.',
      'ok',
    ),
    found: field(z.string(), 'What was found.', 'Docker 28.1.1 (API 1.49)'),
    remedy: field(z.string().nullable(), 'What to do about it; null when nothing is to be done.', null),
  })
  .meta({ id: 'PreflightCheck' });
export type PreflightCheck = z.infer<typeof preflightCheckSchema>;

export const preflightSchema = z
  .strictObject({
    ready: field(z.boolean(), 'Whether nothing that is needed is missing.', true),
    runtime: field(z.enum(['process', 'docker']), 'As what runs are started, which decides what is needed.', 'docker'),
    checks: field(z.array(preflightCheckSchema), 'One for each thing, always in the same order.', []),
  })
  .meta({ id: 'Preflight', description: 'Whether this host is ready, line by line.' });
export type Preflight = z.infer<typeof preflightSchema>;
