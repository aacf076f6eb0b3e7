import { drawPng } from '../../services/control-plane/reports/draw-png.ts';
import { drawSvg } from '../../services/control-plane/reports/draw-svg.ts';
import { measureLog } from '../../services/control-plane/reports/measures.ts';
import { runPlots } from '../../services/control-plane/reports/run-plots.ts';
import { renderRunReport } from '../../services/control-plane/reports/run-report.ts';
import type { Source } from './read-source.ts';

/** Draws what a log has the numbers for, as pictures and on a page. */
export async function drawRun(
  { title, log, resumes, damage }: Source,
  { plot, html }: { plot: boolean; html: boolean },
  write: (name: string, data: string | Uint8Array) => Promise<void>,
): Promise<void> {
  const measured = measureLog(log);
  const pictures = Object.entries(runPlots(measured, { title, resumes })).map(
    ([name, each]) => [name, drawSvg(each)] as const,
  );
  if (plot) for (const [name, svg] of pictures) await write(`${name}.png`, drawPng(svg));
  if (!html) return;
  const report = renderRunReport({
    title,
    log: measured,
    resumes,
    pictures: pictures.map(([, svg]) => svg),
    notes: damage === null ? [] : [{ text: damage, isWarning: true }],
    madeAt: new Date().toISOString(),
    refreshSeconds: null,
  });
  await write('report.html', report);
}
