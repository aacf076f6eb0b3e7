const NUMBER = /[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:e[-+]?\d+)?|[-+]?\.\d+(?:e[-+]?\d+)?/gi;

/** 1 when the last number in the completion equals the last one in the answer (GSM8K's answers end with `#### 18`). */
export function numericReward(completion: string, answer: string): number {
  const [given, expected] = [lastNumber(completion), lastNumber(answer)];
  return given !== null && given === expected ? 1 : 0;
}

/** The last number in a text, thousands separators allowed; null when there is none. */
export function lastNumber(text: string): number | null {
  const found = text.match(NUMBER)?.at(-1);
  return found === undefined ? null : Number(found.replaceAll(',', ''));
}
