import type { PyDict, PyValue } from './pickle-value.ts';
import type { StoredTensor } from './torch-globals.ts';

type Value = PyValue<StoredTensor> | undefined;

export function asDict(value: Value): PyDict<StoredTensor> | undefined {
  return value instanceof Map ? value : undefined;
}

/** An int or a float. */
export function asNumber(value: Value): number | undefined {
  if (typeof value === 'number') return value;
  return isTagged(value) && value.kind === 'float' ? value.value : undefined;
}

export function asText(value: Value): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

export function isStoredTensor(value: Value): value is StoredTensor {
  return isTagged(value) && value.kind === 'stored';
}

/** A list or tuple whose items all are what `read` says. */
export function listOf<T>(value: Value, read: (item: Value) => T | undefined): T[] | undefined {
  const items: readonly PyValue<StoredTensor>[] | undefined = Array.isArray(value)
    ? value
    : isTagged(value) && value.kind === 'tuple'
      ? value.items
      : undefined;
  const found = items?.map(read);
  return found?.every((item) => item !== undefined) ? (found as T[]) : undefined;
}

type Tagged = Extract<PyValue<StoredTensor>, { kind: string }>;

function isTagged(value: Value): value is Tagged {
  return typeof value === 'object' && value !== null && 'kind' in value;
}
