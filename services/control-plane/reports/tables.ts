import type { Statistics } from '../../contracts/comparison.ts';
import { type Html, html } from './html.ts';
import { setting, significant } from './numbers.ts';
import type { Better } from './statistics.ts';

/** Longest text of a cell. */
const MAX_CELL = 400;

/** A value of a configuration, in words. */
export function settingText(value: unknown): string {
  if (value === null || value === undefined) return '–';
  if (typeof value === 'number') return setting(value);
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > MAX_CELL ? `${text.slice(0, MAX_CELL)}…` : text;
}

export function numberCell(value: number | null | undefined): Html {
  return html`<td class="number">${value === null || value === undefined ? '–' : significant(value)}</td>`;
}

/** One line of statistics for each of some series, all of the same measure; the best of them is marked. */
export function statisticsTable(
  rows: readonly { title: Html | string; statistics: Statistics }[],
  better: Better,
): Html {
  const best = bestOf(
    rows.map(({ statistics }) => statistics),
    better,
  );
  return html`<div class="wide"><table>
<thead><tr><th></th><th>entries</th><th>first</th><th>last</th><th>mean</th><th>variance</th><th>lowest</th><th>highest</th><th>best</th><th>trend of the later half</th></tr></thead>
<tbody>${rows.map(
    ({
      title,
      statistics: of,
    }) => html`<tr><th>${title}</th>${numberCell(of.count)}${numberCell(of.first)}${numberCell(of.last)}${numberCell(of.mean)}${numberCell(of.variance)}${numberCell(of.min)}${numberCell(of.max)}
<td class="number${rows.length > 1 && of.best !== null && of.best.value === best ? ' top' : ''}">${of.best === null ? '–' : `${significant(of.best.value)} at step ${of.best.step}`}</td>
<td>${trendText(of)}</td></tr>
`,
  )}</tbody></table></div>`;
}

function trendText({ trend, not_finite }: Statistics): string {
  const gaps = not_finite === 0 ? '' : ` (${not_finite} without a number)`;
  if (trend === null) return `too few entries${gaps}`;
  const sign = trend.per_1000_steps > 0 ? '+' : '';
  return `${trend.direction}, ${sign}${significant(trend.per_1000_steps)} per 1,000 steps${gaps}`;
}

function bestOf(all: readonly Statistics[], better: Better): number | null {
  const values = all.flatMap(({ best }) => (best === null ? [] : [best.value]));
  if (better === null || values.length === 0) return null;
  return values.reduce((a, b) => (better === 'lower' ? Math.min(a, b) : Math.max(a, b)));
}
