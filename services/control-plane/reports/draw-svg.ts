import { LineChart } from 'echarts/charts';
import { GridComponent, LegendComponent, MarkLineComponent, TitleComponent } from 'echarts/components';
import { init, setPlatformAPI, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import { chartOption, sizeOf, textWidth } from './chart-option.ts';
import { escapeHtml } from './html.ts';
import type { Plot } from './plot.ts';

use([LineChart, GridComponent, LegendComponent, MarkLineComponent, TitleComponent, SVGRenderer]);
setPlatformAPI({
  measureText: (text, font = '') => ({ width: textWidth(text, Number(/(\d+(?:\.\d+)?)px/.exec(font)?.[1] ?? 12)) }),
});

/** A plot as an SVG document: no script, no style sheet, no reference to anything outside it; texts escaped. */
export function drawSvg(plot: Plot): string {
  const chart = init(null, null, { renderer: 'svg', ssr: true, ...sizeOf(plot) });
  try {
    chart.setOption(chartOption(plot));
    const title = escapeHtml([plot.title, ...plot.notes].join('. '));
    // What reacts to a pointer, in a style sheet of its own, is of no use in a picture.
    return (
      chart
        .renderToSVGString()
        .replace(/<style\b[^>]*>.*?<\/style>\s*/s, '')
        .replaceAll(/ (?:class|pointer-events|ecmeta_\w+)="[\w-]*"/g, '')
        // By a function: in a text `$&` of a run's name would stand for what is replaced.
        .replace(/^<svg /, () => `<svg role="img" aria-label="${title}" `)
    );
  } finally {
    // Its timers would keep the process.
    chart.dispose();
  }
}
