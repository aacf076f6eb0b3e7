/** A small number as Python writes it with `.2e`: `1.00e-05`. */
export function scientific(value: number, digits = 2): string {
  if (!Number.isFinite(value)) return plainWord(value);
  return value.toExponential(digits).replace(/e([+-])(\d)$/, 'e$10$2');
}

/** With four decimals as Python's `.4f`; where that says nothing (0.00001, 10^20), with an exponent. */
export function decimals(value: number): string {
  if (!Number.isFinite(value)) return plainWord(value);
  const size = Math.abs(value);
  return size !== 0 && (size < 0.00005 || size >= 1e15) ? scientific(value, 4) : value.toFixed(4);
}

/** A setting as it was written: `1e-05` and not `0.00001`, `2.8` and not `2.8000000000000003`. */
export function setting(value: number): string {
  if (!Number.isFinite(value)) return plainWord(value);
  const size = Math.abs(value);
  const written = Number.isInteger(value) ? value : Number(value.toPrecision(12));
  if (size === 0 || (size >= 1e-4 && size < 1e16)) return String(written);
  return written.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
}

/** Four significant digits, for tables and axes: `0.4213`, `1.2e-5`, `12,400`. */
export function significant(value: number): string {
  if (!Number.isFinite(value)) return plainWord(value);
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6))
    return value
      .toExponential(2)
      .replace(/\.?0+e/, 'e')
      .replace('e+', 'e');
  return value.toLocaleString('en-US', { maximumSignificantDigits: 4 });
}

function plainWord(value: number): string {
  return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf';
}
