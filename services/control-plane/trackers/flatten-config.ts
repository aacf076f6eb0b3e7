export type ConfigValue = number | string | boolean;

/**
 * A configuration as flat `section.key` names, for trackers that know no nesting. Lists become JSON; what is null is left out, since it says that
 * something else decides.
 */
export function flattenConfig(config: object, prefix = ''): Map<string, ConfigValue> {
  const flat = new Map<string, ConfigValue>();
  for (const [key, value] of Object.entries(config)) {
    const name = prefix + key;
    if (value === null || value === undefined) continue;
    if (typeof value === 'object' && !Array.isArray(value)) {
      for (const [inner, each] of flattenConfig(value, `${name}.`)) flat.set(inner, each);
    } else {
      flat.set(name, typeof value === 'object' ? JSON.stringify(value) : value);
    }
  }
  return flat;
}
