/**
 * JSON as the SDK and the pages of W&B write it: NaN and infinities stand bare. Records carry them as words (`metricValueSchema`), so the words of
 * numbers are written as numbers.
 */
export function toWandbJson(value: unknown): string {
  if (value === 'NaN' || value === 'Infinity' || value === '-Infinity') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? JSON.stringify(value) : String(value);
  if (Array.isArray(value)) return `[${value.map(toWandbJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const members = Object.entries(value).filter(([, each]) => each !== undefined);
  return `{${members.map(([key, each]) => `${JSON.stringify(key)}:${toWandbJson(each)}`).join(',')}}`;
}
