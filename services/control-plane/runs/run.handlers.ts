import type { Operations } from '../../contracts/operations.ts';
import { type Handlers, STREAMED } from '../api/handlers.ts';
import type { RunService } from './run.service.ts';

type RunHandlers = Pick<
  Handlers<Operations>,
  | 'createRun'
  | 'createEvaluation'
  | 'listRuns'
  | 'getRun'
  | 'resumeRun'
  | 'pauseRun'
  | 'cancelRun'
  | 'deleteRun'
  | 'setLogging'
>;

/** The run operations of the public API. */
export function createRunHandlers(service: RunService): RunHandlers {
  return {
    createRun: async ({ body, query }, { remember }) =>
      query.dry_run ? { status: 200, body: await service.dryRun(body) } : await service.submit(body, remember),
    createEvaluation: async ({ body, query }, { remember }) =>
      query.dry_run
        ? { status: 200, body: await service.planEvaluation(body) }
        : await service.evaluate(body, remember),
    listRuns: async ({ query }) => ({ status: 200, body: service.list(query) }),
    getRun: async ({ params }) => ({ status: 200, body: service.get(params.id) }),
    resumeRun: async ({ params, body }, { remember }) => await service.resume(params.id, body, remember),
    pauseRun: async ({ params }) => ({ status: 202, body: service.pause(params.id) }),
    cancelRun: async ({ params }) => ({ status: 202, body: service.cancel(params.id) }),
    deleteRun: async ({ params }, { response }) => {
      await service.remove(params.id);
      response.status(204).end();
      return STREAMED;
    },
    setLogging: async ({ params, body }) => ({ status: 200, body: service.setLogging(params.id, body) }),
  };
}
