import { type Route, text } from './route.ts';
import type { ServingContext } from './serving-context.ts';

/** `POST /reset_prefix_cache`: requests from now on compute their prompts themselves. Its parameters in vLLM's query string change nothing here. */
export function prefixRoutes({ engine }: ServingContext): Route[] {
  const reset = () => {
    engine.resetPrefixes();
    return text('');
  };
  return [{ method: 'POST', path: '/reset_prefix_cache', takesNoBody: true, handle: reset }];
}
