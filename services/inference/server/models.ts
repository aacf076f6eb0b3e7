import { randomUUID } from 'node:crypto';
import type { ServedModel } from '../engine/served-model.ts';
import { json, type Route } from './route.ts';
import type { ServingContext } from './serving-context.ts';

/** `GET /v1/models`: an adapter's card has its directory as `root`, its base as `parent` and no `max_model_len`. */
export function modelRoutes({ models, contextLength }: ServingContext): Route[] {
  const card = (model: ServedModel) => ({
    id: model.name,
    object: 'model',
    created: model.created,
    owned_by: 'vllm',
    root: model.path,
    parent: model.kind === 'adapter' ? models.base.name : null,
    max_model_len: model.kind === 'adapter' ? null : contextLength,
    permission: [permission(model.created)],
  });
  return [{ method: 'GET', path: '/v1/models', handle: () => json({ object: 'list', data: models.list().map(card) }) }];
}

function permission(created: number): unknown {
  return {
    id: `modelperm-${randomUUID()}`,
    object: 'model_permission',
    created,
    allow_create_engine: false,
    allow_sampling: true,
    allow_logprobs: true,
    allow_search_indices: false,
    allow_view: true,
    allow_fine_tuning: false,
    organization: '*',
    group: null,
    is_blocking: false,
  };
}
