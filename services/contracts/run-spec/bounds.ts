import { z } from 'zod';

/** Bounds that many fields share. A bound that refuses a value says why in its message. */
export const positiveInt = (why = 'must be at least 1') => z.int().min(1, why);
export const fraction = (why = 'must be between 0 and 1') => z.number().min(0, why).max(1, why);
