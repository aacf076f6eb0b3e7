import { z } from 'zod';
import { createDocument, type ZodOpenApiObject, type ZodOpenApiOperationObject } from 'zod-openapi';
import { agentOperations } from '../../contracts/agent-operations.ts';
import type { Operation, ResponseSpec } from '../../contracts/operation.ts';
import { operations } from '../../contracts/operations.ts';
import {
  commonProblems,
  PROBLEM_MEDIA_TYPE,
  type ProblemType,
  problemSchema,
  problems,
} from '../../contracts/problem.ts';
import { ProblemError } from './problem-error.ts';
import { toProblem } from './problem-response.ts';

export type OpenApiDocument = ReturnType<typeof createDocument>;

const NDJSON = 'application/x-ndjson';
const SSE = 'text/event-stream';
const EXAMPLE_INSTANCE = 'urn:uuid:2a7ad3d0-6f35-4f6c-9d0e-6f6a3c1fb0a1';
/** The API's own version; a change that breaks a client raises its first number. */
const API_VERSION = '1.0.0';

let cached: OpenApiDocument | undefined;

/** OpenAPI 3.1 of both APIs, from the operation tables. The same bytes each time. */
export function openApiDocument(): OpenApiDocument {
  cached ??= createDocument(definition(), { override: ({ jsonSchema }) => leaveOutNoise(jsonSchema) });
  return cached;
}

function definition(): ZodOpenApiObject {
  return {
    openapi: '3.1.1',
    info: {
      title: 'Tandem',
      version: API_VERSION,
      description: 'Runs that post-train language models: submit, watch, pause, resume, and fetch their checkpoints.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    // Relative, so that Swagger UI calls the control plane that serves it, wherever that listens.
    servers: [{ url: '/', description: 'The control plane that serves this file; http://127.0.0.1:8080 by default.' }],
    tags: [
      { name: 'runs', description: 'Submitting and steering runs.' },
      { name: 'watching', description: 'Events, logs, metrics and evaluations, as documents or streams.' },
      { name: 'reports', description: 'How a run went, and how several compare: histories, pictures and pages.' },
      { name: 'checkpoints', description: 'What can be resumed, served and downloaded.' },
      { name: 'machine', description: 'What runs are placed on.' },
      { name: 'service', description: 'Health of the control plane.' },
      { name: 'agent', description: 'How a trainer meets the control plane, on a listener of its own.' },
    ],
    paths: { ...pathsOf(operations, 'public'), ...pathsOf(agentOperations, 'agent') },
    components: {
      securitySchemes: {
        apiKey: {
          type: 'http',
          scheme: 'bearer',
          description:
            'TANDEM_API_KEY, where the control plane has one; for GET also as the password of Basic, which browsers ask for.',
        },
        attemptToken: { type: 'http', scheme: 'bearer', description: 'Token of the attempt, from TANDEM_TOKEN_FILE.' },
      },
      examples: Object.fromEntries(problemTypes().map((type) => [type, problemExample(type)])),
    },
  };
}

/** Bounds and patterns that follow from the type, so that readers see the ones that mean something. */
function leaveOutNoise(schema: { format?: string; pattern?: string; minimum?: number; maximum?: number }): void {
  if (schema.format === 'date-time') delete schema.pattern;
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum;
}

type Api = 'public' | 'agent';

function pathsOf(table: Record<string, Operation>, api: Api): NonNullable<ZodOpenApiObject['paths']> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const [name, operation] of Object.entries(table)) {
    const path = operation.path.replace('+}', '}');
    paths[path] = { ...(paths[path] ?? ownServers(api)), [operation.method]: toOpenApi(name, operation, api) };
  }
  return paths;
}

function ownServers(api: Api) {
  if (api === 'public') return {};
  const port = { default: '0', description: 'Port of the agent listener, as in TANDEM_AGENT_URL.' };
  return { servers: [{ url: 'http://127.0.0.1:{port}', description: 'TANDEM_AGENT_URL.', variables: { port } }] };
}

function toOpenApi(name: string, operation: Operation, api: Api): ZodOpenApiOperationObject {
  const { params, query, headers, body } = operation;
  return {
    operationId: name,
    tags: [operation.tag],
    summary: operation.summary,
    ...(operation.description === undefined ? {} : { description: operation.description }),
    security: api === 'agent' ? [{ attemptToken: [] }] : operation.tag === 'service' ? [{}] : [{}, { apiKey: [] }],
    requestParams: { ...(params && { path: params }), ...(query && { query }), ...(headers && { header: headers }) },
    ...(body && {
      requestBody: {
        required: body.required,
        content: Object.fromEntries(body.media.map((media) => [media, { schema: documentedBody(body, media) }])),
      },
    }),
    responses: { ...answersOf(operation.responses), ...problemsOf(operation, api) },
  };
}

/** Of NDJSON the schema describes a line. */
function documentedBody(body: NonNullable<Operation['body']>, media: string): z.ZodType {
  const schema = body.documented ?? body.schema;
  return media === NDJSON && schema instanceof z.ZodArray ? (schema.element as z.ZodType) : schema;
}

type Answers = ZodOpenApiOperationObject['responses'];

function answersOf(specs: readonly ResponseSpec[]): Answers {
  const byStatus = groupBy(specs, ({ status }) => status);
  return Object.fromEntries(
    [...byStatus].map(([status, same]) => {
      const content = Object.fromEntries(same.flatMap(contentOf));
      const description = same.map((spec) => spec.description).join(' ');
      return [String(status), { description, ...(Object.keys(content).length > 0 && { content }) }];
    }),
  );
}

type Content = { schema: z.ZodType } | { schema: { type: 'string' } } | Record<never, never>;

/** A stream of events has no schema: OpenAPI 3.1 could only describe all of its bytes at once, and readers take what it says for one event. */
function contentOf(spec: ResponseSpec): [string, Content][] {
  if ('media' in spec) return spec.media.map((media) => [media, media === SSE ? {} : { schema: { type: 'string' } }]);
  return [['application/json', { schema: spec.body }]];
}

function problemsOf(operation: Operation, api: Api): Answers {
  const common = commonProblems.filter((type) => type !== 'forbidden-host' || api === 'public');
  const types = [...new Set<ProblemType>([...operation.problems, ...common])];
  const byStatus = groupBy(types, (type) => problems[type].status);
  return Object.fromEntries(
    [...byStatus].map(([status, same]) => [
      String(status),
      {
        description: same.map((type) => `\`${type}\`: ${problems[type].title}.`).join(' '),
        content: {
          [PROBLEM_MEDIA_TYPE]: {
            schema: problemSchema,
            examples: Object.fromEntries(
              same.map((type) => [type, { $ref: `#/components/examples/${type}` as const }]),
            ),
          },
        },
      },
    ]),
  );
}

/** `method-not-allowed` belongs to no operation: it is the answer where there is none. */
function problemTypes(): ProblemType[] {
  return (Object.keys(problems) as ProblemType[]).filter((type) => type !== 'method-not-allowed');
}

function problemExample(type: ProblemType) {
  return {
    summary: problems[type].title,
    value: toProblem(new ProblemError(type, problems[type].example), EXAMPLE_INSTANCE),
  };
}

function groupBy<T, K>(values: readonly T[], keyOf: (value: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const value of values) groups.set(keyOf(value), [...(groups.get(keyOf(value)) ?? []), value]);
  return groups;
}
