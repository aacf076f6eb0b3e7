import { limits, type TrainerRecord } from '../../contracts/record.ts';
import type { Redactor } from '../../platform/redaction.ts';

/**
 * A record without the secrets that a trainer has put into it, in its texts, fields and names of metrics. What tells one record from another is left alone,
 * and a text that grew is cut to what a record may hold. The same record always gives the same, and what it gives is a record still (`parseRecord`).
 */
export function redactRecord(record: TrainerRecord, redactor: Redactor): TrainerRecord {
  const cut = (text: string, longest: number) => redactor.text(text).slice(0, longest);
  switch (record.kind) {
    case 'log':
      return {
        ...record,
        message: cut(record.message, limits.message),
        ...(record.fields && { fields: redactor.value(record.fields) }),
      };
    case 'event':
      return {
        ...record,
        message: cut(record.message, limits.message),
        ...(record.reason !== undefined && { reason: cut(record.reason, limits.reason) }),
        ...(record.remedy !== undefined && { remedy: cut(record.remedy, limits.remedy) }),
        ...(record.data && { data: redactor.value(record.data) }),
      };
    case 'metrics':
      return { ...record, values: withPlainNames(record.values, redactor) };
    case 'progress':
    case 'evaluation':
      return record;
  }
}

/** Values are numbers, or words for what JSON has not: none is a secret, whatever its name looks like (`train/entropy_token`: "NaN"). */
function withPlainNames<T>(values: Readonly<Record<string, T>>, redactor: Redactor): Record<string, T> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [redactor.text(name), value]));
}
