import type { Operations } from '../../contracts/operations.ts';
import { type ArchiveServices, archiveRun } from '../archive/archive-run.ts';
import { writeTar } from '../archive/write-tar.ts';
import { breakOffStalled, STALL_MS } from './break-off-stalled.ts';
import { type Handlers, STREAMED } from './handlers.ts';
import { ProblemError } from './problem-error.ts';

/** Archives written at a time: each keeps a core busy with compressing. */
const AT_ONCE = 4;

export interface ArchiveHandlerOptions extends ArchiveServices {
  now: () => number;
  stallMs?: number;
}

/** A run to take away. */
export function createArchiveHandlers(options: ArchiveHandlerOptions): Pick<Handlers<Operations>, 'getArchive'> {
  let underWay = 0;
  return {
    getArchive: async ({ params: { id } }, { request, response, signal }) => {
      if (underWay >= AT_ONCE) {
        const detail = `${underWay} archives are being written, the most at a time; try again when one is done.`;
        throw new ProblemError('too-many-requests', detail);
      }
      const now = options.now();
      const entries = archiveRun(id, options, now);
      response.status(200);
      response.setHeader('Content-Type', 'application/gzip');
      response.setHeader('Content-Disposition', `attachment; filename="${id}.tar.gz"`);
      if (request.method === 'HEAD') {
        response.end();
        return STREAMED;
      }
      underWay += 1;
      try {
        breakOffStalled(response, options.stallMs ?? STALL_MS);
        await writeTar(entries, response, { mtime: new Date(now), signal, gzip: true });
      } finally {
        underWay -= 1;
      }
      return STREAMED;
    },
  };
}
