import type { Operations } from '../../contracts/operations.ts';
import type { Logger } from '../../platform/logger.ts';
import type { ObjectStore } from '../../platform/object-store.ts';
import { archiveCheckpoint } from '../archive/archive-checkpoint.ts';
import { writeTar } from '../archive/write-tar.ts';
import type { CheckpointService } from '../checkpoints/checkpoint.service.ts';
import { checkpointLabel } from '../checkpoints/checkpoint-keys.ts';
import { noCheckpoint } from '../checkpoints/user-changes.ts';
import type { RunStore } from '../runs/run.store.ts';
import { breakOffStalled, STALL_MS } from './break-off-stalled.ts';
import { type Handlers, STREAMED } from './handlers.ts';
import { ProblemError } from './problem-error.ts';

/** Archives read at a time: each is hashed as it passes, and they share the way to the store with the trainers. */
const AT_ONCE = 4;

export interface CheckpointArchiveOptions {
  runs: Pick<RunStore, 'get'>;
  checkpoints: Pick<CheckpointService, 'resolve'>;
  store: Pick<ObjectStore, 'get' | 'read' | 'list'>;
  log: Pick<Logger, 'warn'>;
  stallMs?: number;
}

/** A checkpoint to take away. */
export function createCheckpointArchiveHandlers({
  runs,
  checkpoints,
  store,
  log,
  stallMs = STALL_MS,
}: CheckpointArchiveOptions): Pick<Handlers<Operations>, 'getCheckpointArchive'> {
  let underWay = 0;
  return {
    getCheckpointArchive: async ({ params: { id, name } }, { request, response, signal }) => {
      if (runs.get(id) === undefined)
        throw new ProblemError('not-found', `There is no run ${id}; GET /runs lists those there are.`);
      const manifest = checkpoints.resolve(id, name);
      if (manifest === undefined) throw noCheckpoint(id, name);
      if (underWay >= AT_ONCE) {
        const detail = `${underWay} checkpoints are being sent as archives, the most at a time; try again when one is done.`;
        throw new ProblemError('too-many-requests', detail);
      }
      underWay += 1;
      try {
        const { folder, length, entries } = await archiveCheckpoint(store, manifest);
        response.status(200);
        response.setHeader('Content-Type', 'application/x-tar');
        response.setHeader('Content-Disposition', `attachment; filename="${folder}.tar"`);
        response.setHeader('Content-Length', length);
        if (request.method === 'HEAD') {
          response.end();
          return STREAMED;
        }
        breakOffStalled(response, stallMs);
        await writeTar(entries, response, { mtime: new Date(manifest.created_at), signal, gzip: false });
      } catch (error) {
        if (response.headersSent) {
          log.warn('The archive of a checkpoint was broken off.', { checkpoint: checkpointLabel(manifest), error });
        }
        throw error;
      } finally {
        underWay -= 1;
      }
      return STREAMED;
    },
  };
}
