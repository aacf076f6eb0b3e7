import { metricsTable } from '../services/contracts/metrics.ts';
import type { GeneratedFile } from './generate-api.ts';

/** The page that tells what every metric means. */
export function generateMetrics(): GeneratedFile {
  const lines = [
    '# Metrics',
    '',
    'What a run records, under which name and in which unit. Generated from `services/contracts/metrics.ts` by `npm run generate`; do not edit.',
    '',
    'A share is a part of 1. What is named `perf/` or `system/` depends on the machine; all else a resumed run repeats exactly, within the scope that',
    '`services/README.md` states. NaN and infinities are recorded as the words `NaN`, `Infinity` and `-Infinity`.',
    '',
    metricsTable(),
    '',
  ];
  return { path: 'services/trainer/METRICS.md', content: lines.join('\n') };
}
