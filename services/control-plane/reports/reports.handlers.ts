import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setImmediate as yieldToOthers } from 'node:timers/promises';
import type { Response } from 'express';
import type { Operations } from '../../contracts/operations.ts';
import { type PlotName, plotNames } from '../../contracts/plot-names.ts';
import type { Attempt } from '../../contracts/run.ts';
import type { Redactor } from '../../platform/redaction.ts';
import { breakOffStalled, STALL_MS } from '../api/break-off-stalled.ts';
import { type Exchange, type Handlers, STREAMED } from '../api/handlers.ts';
import { ProblemError } from '../api/problem-error.ts';
import { flatten } from '../runs/flatten.ts';
import type { RunRow } from '../runs/run-row.ts';
import { historyColumns } from '../sinks/training-log.ts';
import { type ComparedRun, compareRuns, distinctTitles } from './comparison.ts';
import { type ComparedCurve, comparedCurves, comparisonPlots } from './comparison-plots.ts';
import { renderComparisonReport } from './comparison-report.ts';
import { renderCsv } from './csv.ts';
import type { Drawing } from './drawing-thread.ts';
import { measureLog } from './measures.ts';
import { PAGE_POLICY } from './page.ts';
import { resumesOf } from './resumes.ts';
import { type LoggedRun, type RunLogServices, readRunLog, renderRunLog } from './run-log.ts';
import { runPlots } from './run-plots.ts';
import { renderRunReport } from './run-report.ts';

export interface ReportServices extends RunLogServices {
  run: (id: string) => (LoggedRun & Pick<RunRow, 'name' | 'message'>) | undefined;
  attempts: (run: string) => readonly Pick<Attempt, 'number' | 'resumed_from' | 'resumed_step'>[];
  drawing: Drawing;
  /** Pages are sent to others: secrets that somebody has put into a name or a spec are hidden. */
  redactor: Redactor;
  now: () => number;
}

type ReportHandlers = Pick<
  Handlers<Operations>,
  'getTrainingLog' | 'getTrainHistory' | 'getValHistory' | 'getPlot' | 'getReport' | 'compareRuns'
>;

/** Logs that are read at a time, those of a comparison each counted: each may be of 100,000 steps. A comparison takes as many at most. */
const AT_ONCE = 10;

/** How a run went, and how several compare: numbers from the records, pictures from a thread beside. */
export function createReportHandlers(services: ReportServices): ReportHandlers {
  const { drawing, redactor } = services;
  let underWay = 0;

  const requireRun = (id: string) => {
    const run = services.run(id);
    if (run === undefined)
      throw new ProblemError('not-found', `There is no run ${id}; GET /runs lists those there are.`);
    if (run.spec.task === 'evaluate')
      throw new ProblemError(
        'not-found',
        `${id} is an evaluation and trains nothing; GET /runs/${id}/evals has its result.`,
      );
    return { ...run, name: redactor.value(run.name), spec: redactor.value(run.spec) };
  };
  /** Does what reads some logs. Whoever has gone away is answered nothing. */
  const limited = async <T>(
    logs: number,
    { signal }: Exchange,
    work: () => Promise<T>,
  ): Promise<T | typeof STREAMED> => {
    if (underWay + logs > AT_ONCE)
      throw new ProblemError(
        'too-many-requests',
        `${underWay} logs are being read for reports, and ${AT_ONCE} at most at a time; try again in a second.`,
      );
    underWay += logs;
    try {
      return await work();
    } catch (error) {
      if (signal.aborted) return STREAMED;
      throw error;
    } finally {
      underWay -= logs;
    }
  };
  const readMeasured = async (run: LoggedRun, { signal }: Exchange) => {
    const log = measureLog(await readRunLog(run, services, signal));
    await yieldToOthers();
    return log;
  };
  const resumes = (id: string) => resumesOf(id, services.attempts(id));
  const isoNow = () => new Date(services.now()).toISOString();

  const history = (id: string, which: 'train' | 'validation', exchange: Exchange) =>
    limited<typeof STREAMED>(1, exchange, async () => {
      const log = await readRunLog(requireRun(id), services, exchange.signal);
      const file = which === 'train' ? 'train_history.csv' : 'val_history.csv';
      exchange.response.setHeader('Content-Disposition', `attachment; filename="${id}-${file}"`);
      return await sendPieces(
        exchange,
        'text/csv; charset=utf-8',
        renderCsv(log[which], historyColumns(log.method)[which]),
      );
    });

  return {
    getTrainingLog: async ({ params: { id } }, exchange) => {
      const run = requireRun(id);
      return await limited<typeof STREAMED>(1, exchange, () =>
        sendPieces(exchange, 'application/json; charset=utf-8', renderRunLog(run, services, exchange.signal)),
      );
    },
    getTrainHistory: async ({ params: { id } }, exchange) => await history(id, 'train', exchange),
    getValHistory: async ({ params: { id } }, exchange) => await history(id, 'validation', exchange),

    getPlot: async ({ params: { id, file } }, exchange) => {
      const run = requireRun(id);
      const { response } = exchange;
      return await limited<typeof STREAMED>(1, exchange, async () => {
        const plots = runPlots(await readMeasured(run, exchange), { title: titleOf(run), resumes: resumes(id) });
        const [name, format] = file.split('.') as [PlotName, 'png' | 'svg'];
        const plot = plots[name];
        if (plot === undefined) throw new ProblemError('not-found', explainMissing(run, name, Object.keys(plots)));
        if (format === 'png') return send(response, 'image/png', Buffer.from(await drawing.png(plot)));
        const [svg = ''] = await drawing.svg([plot]);
        return send(response, 'image/svg+xml; charset=utf-8', svg);
      });
    },

    getReport: async ({ params: { id }, query }, exchange) => {
      const run = requireRun(id);
      return await limited<typeof STREAMED>(1, exchange, async () => {
        const log = await readMeasured(run, exchange);
        const title = titleOf(run);
        const marked = { title, resumes: resumes(id) };
        const pictures = await drawing.svg(Object.values(runPlots(log, marked)));
        const notes = [{ text: `${run.status}: ${run.message}`, isWarning: run.status === 'failed' }];
        const refreshSeconds = query.refresh ?? null;
        const page = renderRunReport({ ...marked, log, pictures, notes, madeAt: isoNow(), refreshSeconds });
        return send(exchange.response, 'text/html; charset=utf-8', page);
      });
    },

    compareRuns: async ({ query: { runs: ids } }, exchange) => {
      const rows = ids.map(requireRun);
      const isPage = exchange.accepts(['application/json', 'text/html']) === 'text/html';
      return await limited(rows.length, exchange, async () => {
        const titles = distinctTitles(rows.map(titleOf));
        const runs: ComparedRun[] = [];
        const curves: ComparedCurve[] = [];
        for (const [at, row] of rows.entries()) {
          const log = await readMeasured(row, exchange);
          const run = { title: titles[at] ?? row.id, log, settings: flatten(row.spec) };
          runs.push(run);
          if (isPage) curves.push(...comparedCurves(run, at));
          await yieldToOthers();
        }
        if (!isPage) {
          const { runs: compared, settings } = compareRuns(runs);
          const named = compared.map((each, at) => ({
            id: rows[at]?.id ?? '',
            ...each,
            best: each.best && { ...each.best },
          }));
          return { status: 200 as const, body: { runs: named, settings } };
        }
        const pictures = await drawing.svg(comparisonPlots(curves));
        const page = renderComparisonReport({ runs, pictures, warnings: [], madeAt: isoNow() });
        return send(exchange.response, 'text/html; charset=utf-8', page);
      });
    },
  };
}

function titleOf({ id, name }: { id: string; name: string | null }): string {
  return name === null ? id : `${id} ${name}`;
}

function explainMissing({ id, spec }: LoggedRun, name: PlotName, there: readonly string[]): string {
  if (there.length === 0)
    return `${id} has no training entries yet, so there is nothing to draw; ask again after its first step.`;
  const rest = plotNames.filter((each) => there.includes(each)).join(', ');
  return `The log of ${id} (${spec.method}) has no numbers for ${name}; it has those for ${rest}.`;
}

/** A picture or a page. It may show itself and its own styles, and nothing else. */
function send(response: Response, media: string, content: string | Buffer): typeof STREAMED {
  response.setHeader('Content-Security-Policy', `${PAGE_POLICY}; frame-ancestors 'none'`);
  response.setHeader('Content-Type', media);
  response.status(200).send(content);
  return STREAMED;
}

/** An answer as long as the run, a piece at a time. One that breaks off has no end, which its reader notices. */
async function sendPieces(
  { request, response, signal }: Exchange,
  media: string,
  pieces: AsyncIterable<string> | Iterable<string>,
): Promise<typeof STREAMED> {
  response.status(200).setHeader('Content-Type', media);
  if (request.method === 'HEAD') {
    response.end();
    return STREAMED;
  }
  breakOffStalled(response, STALL_MS);
  await pipeline(Readable.from(pieces), response, { signal }).catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
  return STREAMED;
}
