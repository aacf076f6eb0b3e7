import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { generateApi } from './generate-api.ts';
import { generateMetrics } from './generate-metrics.ts';

/** `npm run generate`: writes from the contracts `openapi/openapi.yaml`, the client types and the table of metrics. Run from the repository root. */
for (const { path, content } of [...(await generateApi()), generateMetrics()]) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  console.log(`${path}: ${Buffer.byteLength(content)} bytes`);
}
