import { flatten } from '../runs/flatten.ts';

export type ConfigValue = number | string | boolean;

/**
 * A configuration as flat `section.key` names, for trackers that know no nesting. Lists become JSON; what is null is left out, since it says that
 * something else decides.
 */
export function flattenConfig(config: object): Map<string, ConfigValue> {
  const known = Object.entries(flatten(config)).filter(([, value]) => value !== null && value !== undefined);
  return new Map(
    known.map(([key, value]) => [key, Array.isArray(value) ? JSON.stringify(value) : (value as ConfigValue)]),
  );
}
