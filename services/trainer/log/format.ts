/** `H:MM:SS`; hours go on past 24. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const two = (value: number) => String(value).padStart(2, '0');
  return `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
}

/** As Python prints a boolean. */
export function truth(value: boolean): string {
  return value ? 'True' : 'False';
}

/** As Python prints a float, to three decimals at most: `1.0`, `0.5`, `0.333`. */
export function decimal(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf';
  const rounded = Math.round(value * 1000) / 1000;
  return Number.isInteger(rounded) ? rounded.toFixed(1) : String(rounded);
}

/** Fixed decimals; NaN and infinities as Python prints them. */
export function fixed(value: number, digits: number): string {
  return Number.isFinite(value) ? value.toFixed(digits) : decimal(value);
}

/** Model output is hostile text: quoted, control characters escaped, at most 200 characters. */
export function quoted(text: string): string {
  const short = text.length > 200 ? `${text.slice(0, 199)}…` : text;
  return JSON.stringify(short).replace(
    /[\u007f-\u009f\u2028\u2029]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
