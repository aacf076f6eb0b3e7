import openapiTS, { astToString, type OpenAPI3 } from 'openapi-typescript';
import { stringify } from 'yaml';
import { openApiDocument } from '../services/control-plane/api/openapi-document.ts';

export interface GeneratedFile {
  /** From the repository root. */
  path: string;
  content: string;
}

/** The files that are made from the contracts, in memory: the same bytes for the same contracts. */
export async function generateApi(): Promise<GeneratedFile[]> {
  const document = openApiDocument();
  const types = await openapiTS(structuredClone(document) as unknown as OpenAPI3, { alphabetize: false });
  const banner = 'Generated from services/contracts by `npm run generate`; do not edit.';
  return [
    {
      path: 'openapi/openapi.yaml',
      content: `# ${banner}\n${stringify(document, { aliasDuplicateObjects: false, lineWidth: 120 })}`,
    },
    { path: 'services/api-types/openapi.d.ts', content: `/** ${banner} */\n${astToString(types)}` },
  ];
}
