import type { Evaluation } from '../quickstart/client.ts';

/** What is compared, in the order of the lines; a line that nobody has is left out. */
const lines: readonly (readonly [string, (evaluation: Evaluation) => string | undefined])[] = [
  ['accuracy', (of) => of.accuracy.toFixed(4)],
  ['correct', (of) => `${of.correct_answers}/${of.total_samples}`],
  ['average reward', (of) => of.avg_reward.toFixed(4)],
  ['std reward', (of) => of.std_reward.toFixed(4)],
  ['eval loss', (of) => of.eval_loss?.toFixed(4)],
];

/** Evaluations side by side, a column each. */
export function renderTable(measured: readonly { title: string; evaluation: Evaluation }[]): string[] {
  if (measured.length === 0) return [];
  const rows = [
    ['', ...measured.map(({ title }) => title)],
    ...lines
      .map(([label, read]) => [label, ...measured.map(({ evaluation }) => read(evaluation) ?? '')])
      .filter(([, ...cells]) => cells.some((cell) => cell !== '')),
  ];
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length))) ?? [];
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
