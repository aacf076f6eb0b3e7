import type { Operations } from '../../contracts/operations.ts';
import type { Handlers } from '../api/handlers.ts';
import type { ImportService } from './import.service.ts';

/** The import operation of the public API. */
export function createImportHandlers(imports: ImportService): Pick<Handlers<Operations>, 'importCheckpoints'> {
  return {
    importCheckpoints: async ({ body, query }, { remember }) => {
      if (query.dry_run) return { status: 200, body: await imports.dryRun(body) };
      return { status: 201, body: await imports.run(body, (report) => remember({ status: 201, body: report })) };
    },
  };
}
