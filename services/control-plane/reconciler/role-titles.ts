import type { Role } from '../../contracts/run.ts';

/** The roles as people read of them. */
export const roleTitles: Readonly<Record<Role, string>> = { inference: 'inference server', trainer: 'trainer' };
