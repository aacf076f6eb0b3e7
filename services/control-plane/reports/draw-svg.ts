import { LineChart } from 'echarts/charts';
import { GridComponent, LegendComponent, MarkLineComponent, TitleComponent } from 'echarts/components';
import { init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import { chartOption, sizeOf } from './chart-option.ts';
import type { Plot } from './plot.ts';

use([LineChart, GridComponent, LegendComponent, MarkLineComponent, TitleComponent, SVGRenderer]);

/** A plot as an SVG document: no script, no style sheet, no reference to anything outside it; texts escaped. */
export function drawSvg(plot: Plot): string {
  const chart = init(null, null, { renderer: 'svg', ssr: true, ...sizeOf(plot) });
  try {
    chart.setOption(chartOption(plot));
    return chart.renderToSVGString();
  } finally {
    // Its timers would keep the process.
    chart.dispose();
  }
}
