import { z } from 'zod';
import { field } from '../field.ts';

export const mismatchCorrections = ['tis', 'off'] as const;
export const grpoSpecSchema = z
  .strictObject({
    kl_coef: field(
      z.number().min(0).default(0),
      'Weight of the KL term to the reference (the model the run started from); 0 needs no reference.',
      0.05,
    ),
    epsilon_low: field(z.number().gt(0).lt(1).default(0.2), 'Lower clip of the probability ratio.', 0.2),
    epsilon_high: field(
      z.number().gt(0).default(0.28),
      'Upper clip of the probability ratio (clip-higher, DAPO).',
      0.28,
    ),
    mismatch_correction: field(
      z.enum(mismatchCorrections).default('tis'),
      'Truncated importance sampling against trainer/server differences, or off.',
      'tis',
    ),
    mismatch_cap: field(z.number().min(1).default(2), 'Upper bound of that importance weight.', 2),
  })
  .meta({ id: 'GrpoSpec', description: 'GRPO.' });

export const dpoSpecSchema = z
  .strictObject({ beta: field(z.number().positive().default(0.1), 'Strength of the implicit KL constraint.', 0.1) })
  .meta({ id: 'DpoSpec', description: 'DPO.' });
