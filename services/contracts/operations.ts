import { z } from 'zod';
import { checkpointOperations } from './checkpoint-operations.ts';
import { evaluationOperations } from './evaluation-operations.ts';
import { field } from './field.ts';
import { machineOperations } from './machine-operations.ts';
import { operation } from './operation.ts';
import { reportOperations } from './report-operations.ts';
import { runOperations } from './run-operations.ts';
import { trackerOperations } from './tracker.ts';
import { watchOperations } from './watch-operations.ts';

/**
 * The public API, as data. `openapi/openapi.yaml`, the generated client types and the server's routes all come from this table.
 */
export const operations = {
  ...runOperations,
  ...evaluationOperations,
  ...watchOperations,
  ...reportOperations,
  ...trackerOperations,
  ...checkpointOperations,
  ...machineOperations,
  getHealth: operation({
    method: 'get',
    path: '/healthz',
    tag: 'service',
    summary: 'Whether the process is alive',
    responses: [
      {
        status: 200,
        description: 'It is.',
        body: z
          .strictObject({
            status: field(z.literal('ok'), 'Alive.', 'ok'),
            version: field(z.string(), 'Version of Tandem.', '0.1.0'),
          })
          .meta({ id: 'Health' }),
      },
    ],
    problems: ['invalid-request'],
  }),
  getReadiness: operation({
    method: 'get',
    path: '/readyz',
    tag: 'service',
    summary: 'Whether every running program has been taken over and requests are served',
    responses: [
      {
        status: 200,
        description: 'It is.',
        body: z
          .strictObject({
            status: field(z.literal('ready'), 'Ready.', 'ready'),
            adopted: field(z.int(), 'Programs found running at start and taken over.', 2),
          })
          .meta({ id: 'Readiness' }),
      },
    ],
    problems: ['invalid-request', 'unavailable'],
  }),
  getServiceMetrics: operation({
    method: 'get',
    path: '/metrics',
    tag: 'service',
    summary: 'The control plane in numbers, for Prometheus',
    description:
      'Runs, queue, GPUs, requests, checkpoints, files and trackers, and the key metrics of runs that run, in the text format of Prometheus. It asks for the token of the API where there is one: `authorization: {credentials_file: ...}` in `scrape_configs`.',
    responses: [{ status: 200, description: 'Text format 0.0.4.', media: ['text/plain'] }],
    problems: ['invalid-request'],
  }),
} as const;

export type Operations = typeof operations;
export type OperationName = keyof Operations;
