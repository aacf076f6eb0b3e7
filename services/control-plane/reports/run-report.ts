import { columnsOf } from './csv.ts';
import { type Html, html } from './html.ts';
import type { MeasuredLog } from './measures.ts';
import { setting } from './numbers.ts';
import { figure, renderPage } from './page.ts';
import { bestStep, type Resume, shortTitle } from './run-plots.ts';
import { whyNotValidated } from './summary.ts';
import { numberCell, settingText, statisticsTable } from './tables.ts';
import { numberOf, type Row } from './training-log.ts';

export interface RunReportInput {
  title: string;
  log: MeasuredLog;
  /** Pictures in the order they are shown, as SVG. */
  pictures: readonly string[];
  resumes: readonly Resume[];
  /** What is known besides the log: its status in words, what is wrong with the file. */
  notes: readonly { text: string; isWarning: boolean }[];
  /** When the report was made, ISO 8601. */
  madeAt: string;
  refreshSeconds: number | null;
}

/** Evaluations that the page lists; all are in the pictures and in the CSV. */
const LISTED = 100;

/** A run on one page. Everything in it that came from a file or a user is escaped. */
export function renderRunReport(input: RunReportInput): string {
  const { title, log, pictures, notes, madeAt, refreshSeconds } = input;
  const content = html`<h1>${shortTitle(title)}</h1>
<p class="faint">${log.method.toUpperCase()} · ${shortTitle(settingText(log.config['model_path']))} · as of ${madeAt.slice(0, 19).replace('T', ' ')} UTC</p>
${notes.map(({ text, isWarning }) => html`<p class="${isWarning ? 'warning' : 'faint'}">${text}</p>`)}
${cards(input)}
${pictures.length === 0 ? html`<p>There is nothing to draw yet: the log has no training entries.</p>` : html`<div class="charts">${pictures.map(figure)}</div>`}
<h2>Statistics</h2>
${log.traces.length === 0 ? html`<p>No entries yet.</p>` : statistics(log)}
<h2>Validation</h2>
${validation(log)}
<h2>Configuration</h2>
<div class="wide"><table><tbody>${Object.entries(log.config).map(([key, value]) => html`<tr><th>${key}</th><td>${settingText(value)}</td></tr>`)}</tbody></table></div>`;
  return renderPage({ title: shortTitle(title), content, refreshSeconds });
}

function cards({ log, resumes }: RunReportInput): Html {
  const last = log.train.at(-1);
  const best = bestStep(log);
  const entries: [string, string][] = [
    ['final step', last === undefined ? '–' : settingText(last['step'])],
    ['epoch', last === undefined ? '–' : rounded(last['epoch'])],
    ['training entries', log.train.length.toLocaleString('en-US')],
    ['validations', log.validation.length.toLocaleString('en-US')],
    ['best checkpoint', best === null ? '–' : `step ${best}`],
    ...(resumes.length === 0 ? [] : [['resumed', `${resumes.length}×`] as [string, string]]),
  ];
  return html`<ul class="cards">${entries.map(([name, value]) => html`<li><span class="faint">${name}</span><b>${value}</b></li>`)}</ul>`;
}

function statistics({ traces }: MeasuredLog): Html {
  return statisticsTable(
    traces.map(({ key, history, statistics: of }) => ({ title: `${key} (${history})`, statistics: of })),
    null,
  );
}

function validation(log: MeasuredLog): Html {
  const { validation: rows } = log;
  if (rows.length === 0) return html`<p>${whyNotValidated(log)}</p>`;
  const shown = rows.slice(-LISTED);
  const columns = columnsOf(shown);
  const best = bestStep(log);
  return html`${rows.length > LISTED ? html`<p class="faint">The last ${LISTED} of ${rows.length}.</p>` : null}<div class="wide"><table>
<thead><tr>${columns.map((key) => html`<th>${key}</th>`)}<th></th></tr></thead>
<tbody>${shown.map(
    (
      row,
    ) => html`<tr>${columns.map((key) => validationCell(row, key))}<td>${row['step'] === best ? '★ best' : ''}</td></tr>
`,
  )}</tbody></table></div>`;
}

function validationCell(row: Row, key: string): Html {
  const value = row[key];
  if (key === 'step' || key === 'samples') return html`<td class="number">${settingText(value)}</td>`;
  return typeof value === 'number' || value === null ? numberCell(value) : html`<td>${settingText(value)}</td>`;
}

function rounded(value: unknown): string {
  const number = numberOf(value);
  return Number.isFinite(number) ? setting(Math.round(number * 100) / 100) : settingText(value);
}
