import type { RunSpec } from '../../contracts/run-spec.ts';
import type { Redactor } from '../../platform/redaction.ts';
import { type ConfigValue, flattenConfig } from './flatten-config.ts';

/**
 * The configuration of a run as programs that know no nesting are shown it. Others read there than here, so secrets that somebody has put into its
 * values (a user and password in the URL of a reward) are hidden first, by the names they stand under too.
 */
export function shownConfig(spec: RunSpec, redactor: Redactor): Map<string, ConfigValue> {
  return flattenConfig(redactor.value(spec));
}
