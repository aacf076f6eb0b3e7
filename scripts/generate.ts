import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { generateApi } from './generate-api.ts';

/** `npm run generate`: writes `openapi/openapi.yaml` and the client types from the contracts. Run from the repository root. */
for (const { path, content } of await generateApi()) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  console.log(`${path}: ${Buffer.byteLength(content)} bytes`);
}
