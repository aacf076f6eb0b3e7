/**
 * 1 when what the last `\boxed{…}` of the completion holds is the answer: the same number, or the same formula without its layout. Of an answer that has a box
 * itself, or ends with `#### 18` as GSM8K's do, that part counts.
 */
export function boxedReward(completion: string, answer: string): number {
  const given = lastBoxed(completion);
  return given !== null && sameResult(given, lastBoxed(answer) ?? afterMarks(answer)) ? 1 : 0;
}

/** What the last `\boxed{…}` holds, its braces balanced; null where there is none or it is not closed. */
export function lastBoxed(text: string): string | null {
  const start = text.lastIndexOf('\\boxed{');
  if (start < 0) return null;
  const from = start + '\\boxed{'.length;
  let depth = 1;
  for (let at = from; at < text.length; at++) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === '{') depth += 1;
    else if (text[at] === '}') depth -= 1;
    if (depth === 0) return text.slice(from, at);
  }
  return null;
}

function afterMarks(answer: string): string {
  const at = answer.lastIndexOf('####');
  return at < 0 ? answer : answer.slice(at + 4);
}

function sameResult(a: string, b: string): boolean {
  const [given, expected] = [normalised(a), normalised(b)];
  if (given === expected) return given !== '';
  const [x, y] = [asNumber(given), asNumber(expected)];
  return x !== null && y !== null && Math.abs(x - y) <= 1e-9 * Math.max(Math.abs(x), Math.abs(y));
}

/** Without what changes how a formula looks and not what it says. */
function normalised(formula: string): string {
  return formula
    .replace(/\\(?:left|right|displaystyle|!|,|;|:| )/g, '')
    .replace(/\\[dt]frac/g, '\\frac')
    .replace(/\\(?:text|mathrm|textbf|mathbf)\{([^{}]*)\}/g, '$1')
    .replace(/\^\{?\\circ\}?|\\degree|\\%|%|\\\$|\$/g, '')
    .replace(/\s+/g, '')
    .replace(/\.$/, '');
}

const NUMBER = String.raw`[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)?\.?\d*(?:e[-+]?\d+)?`;
/** The patterns try many ways to divide a long row of digits. */
const LONGEST_NUMBER = 200;
const PLAIN = new RegExp(`^${NUMBER}$`, 'i');
const FRACTION = new RegExp(String.raw`^([-+]?)(?:\\frac\{(${NUMBER})\}\{(${NUMBER})\}|(${NUMBER})/(${NUMBER}))$`, 'i');

/** Of a number or a fraction of two; null for any other formula. */
function asNumber(formula: string): number | null {
  if (formula.length > LONGEST_NUMBER) return null;
  const fraction = FRACTION.exec(formula);
  if (fraction !== null) {
    const [over, under] = [numberOf(fraction[2] ?? fraction[4]), numberOf(fraction[3] ?? fraction[5])];
    return over === null || under === null || under === 0 ? null : ((fraction[1] === '-' ? -1 : 1) * over) / under;
  }
  return numberOf(formula);
}

function numberOf(text: string | undefined): number | null {
  if (text === undefined || !PLAIN.test(text) || !/\d/.test(text)) return null;
  const value = Number(text.replaceAll(',', ''));
  return Number.isFinite(value) ? value : null;
}
