import type { RequestHandler } from 'express';
import type { Metrics } from './metrics.ts';

/**
 * Times each request until its answer begins, so that a stream which is followed for hours counts like any other answer. The operation is what
 * `bindOperations` has found for it; what is none of the API's has the name `none`, whatever was asked for.
 */
export function measureRequests(metrics: Pick<Metrics, 'request'>): RequestHandler {
  return function measureRequest(_request, response, next) {
    const started = performance.now();
    let isMeasured = false;
    response.writeHead = new Proxy(response.writeHead, {
      apply(writeHead, self, parameters) {
        if (!isMeasured) {
          isMeasured = true;
          const { operation = 'none', method = 'none' } = response.locals as { operation?: string; method?: string };
          const status = Number(parameters[0]);
          metrics.request({ operation, method, status }, (performance.now() - started) / 1000);
        }
        return Reflect.apply(writeHead, self, parameters);
      },
    });
    next();
  };
}
