import { type ComparedRun, type Comparison, compareRuns } from './comparison.ts';
import { Html, html } from './html.ts';
import { measures } from './measures.ts';
import { figure, renderPage } from './page.ts';
import { LOOKS, lookOf } from './plot.ts';
import { bestStep, shortTitle } from './run-plots.ts';
import type { Better } from './statistics.ts';
import { settingText, statisticsTable } from './tables.ts';

export interface ComparisonReportInput {
  runs: readonly ComparedRun[];
  /** As SVG. */
  pictures: readonly string[];
  /** What is wrong with runs that are in it, or why some are not. */
  warnings: readonly string[];
  /** When the report was made, ISO 8601. */
  madeAt: string;
}

/** Several runs on one page. Everything in it that came from a file or a user is escaped. */
export function renderComparisonReport({ runs, pictures, warnings, madeAt }: ComparisonReportInput): string {
  const comparison = compareRuns(runs);
  const content = html`<h1>Comparison of ${runs.length} runs</h1>
<p class="faint">as of ${madeAt.slice(0, 19).replace('T', ' ')} UTC</p>
${warnings.map((warning) => html`<p class="warning">${warning}</p>`)}
<ul class="cards">${runs.map(({ title, log }, at) => html`<li><span class="faint">${log.method.toUpperCase()} · ${log.train.length.toLocaleString('en-US')} entries · best ${bestStep(log) === null ? '–' : `step ${bestStep(log)}`}</span><b>${swatch(at)}${shortTitle(title)}</b></li>`)}</ul>
<h2>Curves</h2>
${runs.length > LOOKS ? html`<p class="warning">${LOOKS} looks are all there are: the curves from the ${LOOKS + 1}th on look like earlier ones. Compare fewer to tell them apart.</p>` : null}
${pictures.length === 0 ? html`<p>There is nothing to draw yet: none of the logs has entries.</p>` : html`<div class="charts">${pictures.map(figure)}</div>`}
<h2>Statistics</h2>
${statistics(comparison)}
<h2>Settings</h2>
${settings(comparison)}`;
  return renderPage({ title: `Comparison of ${runs.length} runs`, content, refreshSeconds: null });
}

function statistics({ runs }: Comparison): Html {
  const keys = [...new Set(runs.flatMap((run) => Object.keys(run.statistics)))];
  return html`${keys.map((key) => {
    const rows = runs.flatMap(({ title, statistics: of }, at) => {
      const found = of[key];
      return found === undefined ? [] : [{ title: html`${swatch(at)}${shortTitle(title)}`, statistics: found }];
    });
    return html`<h3>${key}</h3>${statisticsTable(rows, betterOf(key, runs))}`;
  })}`;
}

/** Losses of different methods are different things: none of them is better. */
function betterOf(key: string, runs: Comparison['runs']): Better {
  const [method, ...others] = new Set(runs.filter((run) => run.statistics[key] !== undefined).map((run) => run.method));
  if (method === undefined || others.length > 0) return null;
  const measure = measures[method].find(({ train, validation }) => train.includes(key) || validation.includes(key));
  return measure?.better ?? null;
}

function settings(comparison: Comparison): Html {
  const differing = comparison.settings.filter(({ differs }) => differs);
  const same = comparison.settings.filter(({ differs }) => !differs);
  const head = html`<thead><tr><th></th>${comparison.runs.map(({ title }, at) => html`<th>${swatch(at)}${shortTitle(title)}</th>`)}</tr></thead>`;
  const lines = (of: Comparison['settings']) =>
    of.map(
      ({ key, values, differs }) =>
        html`<tr class="${differs ? 'differs' : ''}"><th>${key}</th>${values.map((value) => html`<td>${settingText(value)}</td>`)}</tr>
`,
    );
  return html`${differing.length === 0 ? html`<p>All settings are the same.</p>` : html`<div class="wide"><table>${head}<tbody>${lines(differing)}</tbody></table></div>`}
${same.length === 0 ? null : html`<details><summary>${same.length} settings that are the same</summary><div class="wide"><table>${head}<tbody>${lines(same)}</tbody></table></div></details>`}`;
}

function swatch(at: number): Html {
  const { color, isDashed } = lookOf(at);
  const fill = isDashed ? `repeating-linear-gradient(90deg,${color} 0 3px,transparent 3px 5px)` : color;
  return new Html(`<span class="swatch" style="background:${fill}"></span>`);
}
