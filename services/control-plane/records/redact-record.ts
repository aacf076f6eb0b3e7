import { limits, type TrainerRecord } from '../../contracts/record.ts';
import type { Redactor } from '../../platform/redaction.ts';

/**
 * A record without the secrets that a trainer has put into it, in its texts, fields and names of metrics. What tells one record from another is left alone,
 * and a text that grew is cut to what a record may hold. The same record always gives the same.
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
      return { ...record, values: redactor.value(record.values) };
    case 'progress':
    case 'evaluation':
      return record;
  }
}
