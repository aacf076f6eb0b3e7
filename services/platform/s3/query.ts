/** A query string as SigV4 wants it: everything but `A-Z a-z 0-9 - . _ ~` escaped, a name alone where the value is empty. */
export function queryText(query: Readonly<Record<string, string>>): string {
  return Object.entries(query)
    .map(([name, value]) => (value === '' ? name : `${name}=${escaped(value)}`))
    .join('&');
}

function escaped(value: string): string {
  return encodeURIComponent(value).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}
