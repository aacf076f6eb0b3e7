/**
 * The fields of one record of CSV (RFC 4180: quoted fields may hold delimiters, line ends and doubled quotes).
 * @throws Error that says what is wrong with its quotes
 */
export function parseCsvRecord(text: string, delimiter: string): string[] {
  const record = text.replace(/\r?\n$/, '');
  const fields: string[] = [];
  let at = 0;
  for (;;) {
    const { field, end } = record[at] === '"' ? quotedField(record, at) : bareField(record, at, delimiter);
    fields.push(field);
    if (end === record.length) return fields;
    if (record[end] !== delimiter) {
      throw new Error(`has text after the closing quote of field ${fields.length}; double the quotes within a field`);
    }
    at = end + 1;
  }
}

function bareField(record: string, from: number, delimiter: string): { field: string; end: number } {
  const next = record.indexOf(delimiter, from);
  const end = next < 0 ? record.length : next;
  return { field: record.slice(from, end), end };
}

function quotedField(record: string, from: number): { field: string; end: number } {
  for (let at = record.indexOf('"', from + 1); at >= 0; at = record.indexOf('"', at + 2)) {
    if (record[at + 1] !== '"') return { field: record.slice(from + 1, at).replaceAll('""', '"'), end: at + 1 };
  }
  throw new Error('has a quote that is never closed');
}
