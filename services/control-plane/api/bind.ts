import type { IRouter, Request, RequestHandler, Response } from 'express';
import type { Input, Operation } from '../../contracts/operation.ts';
import { commonProblems } from '../../contracts/problem.ts';
import { type Exchange, type Handler, type Handlers, type Reply, STREAMED } from './handlers.ts';
import { fingerprintOf, type Idempotency } from './idempotency.ts';
import { parseBody } from './parse-body.ts';
import { ProblemError } from './problem-error.ts';
import { readBody } from './read-body.ts';
import { readHeaders, readParams, readQuery } from './read-parts.ts';
import { invalidRequest } from './request-issues.ts';

export interface BindOptions<Ops extends Record<string, Operation>> {
  operations: Ops;
  handlers: Handlers<Ops>;
  /** Bytes of a request body at most. */
  bodyLimit: number;
  /** Refuses a caller by throwing a ProblemError; runs before a body is read. */
  authorize?: (request: Request, params: Record<string, unknown>) => void;
  idempotency?: Idempotency;
  /** Turns an answer that breaks its contract into a 500, which the log explains. For tests and development. */
  checkResponses?: boolean;
}

/**
 * Mounts a handler for every operation of a table, in the order: authorize, query, headers, Accept, body, handler, answer. A method that a path does
 * not have is answered with 405 and Allow.
 */
export function bindOperations<Ops extends Record<string, Operation>>(
  router: IRouter,
  options: BindOptions<Ops>,
): void {
  const byPath = new Map<string, [string, Operation][]>();
  for (const entry of Object.entries(options.operations)) {
    byPath.set(entry[1].path, [...(byPath.get(entry[1].path) ?? []), entry]);
  }
  for (const path of [...byPath.keys()].sort(byVariables)) {
    const here = byPath.get(path) ?? [];
    for (const [name, operation] of here) {
      // The mapped type has made sure that the handler is the one for this operation; the loop cannot know.
      const handler = options.handlers[name] as unknown as Handler<Operation>;
      router[operation.method](toExpressPath(path), serve(name, operation, handler, options));
    }
    router.all(toExpressPath(path), refuseMethod(here.flatMap(([, { method }]) => methodsOf(method))));
  }
}

/** `/checkpoints/prune` comes before `/checkpoints/{name}`, which would take it for a name. */
function byVariables(a: string, b: string): number {
  const variables = (path: string) => path.split('{').length;
  return variables(a) - variables(b);
}

function methodsOf(method: Operation['method']): string[] {
  return method === 'get' ? ['GET', 'HEAD'] : [method.toUpperCase()];
}

/** `/runs/{id}/files/{path+}` as Express writes it: `/runs/:id/files/*path`. */
export function toExpressPath(path: string): string {
  return path.replace(/\{(\w+)\+\}/g, '*$1').replace(/\{(\w+)\}/g, ':$1');
}

function serve<Ops extends Record<string, Operation>>(
  name: string,
  operation: Operation,
  handler: Handler<Operation>,
  { authorize, bodyLimit, idempotency, checkResponses = false }: BindOptions<Ops>,
): RequestHandler {
  return async function serveOperation(request, response) {
    Object.assign(response.locals, { operation: name, method: operation.method });
    const params = readParams(request, operation.params);
    authorize?.(request, params);
    const query = readQuery(request, operation.query);
    const headers = readHeaders(request, operation.headers);
    refuseAccept(request, operation);
    const bytes = await bodyBytes(request, operation, bodyLimit);
    const body = operation.body && parseBody(bytes, request.headers['content-type'], operation.body);
    const input = { params, query, headers, body } as Input<Operation>;

    const call = async (remember: Exchange['remember']): Promise<Reply | typeof STREAMED> => {
      try {
        const reply = await handler(input, openExchange(request, response, remember));
        if (checkResponses && reply !== STREAMED) checkReply(name, operation, reply);
        return reply;
      } catch (error) {
        if (checkResponses) checkProblem(name, operation, error);
        throw error;
      }
    };
    const key = headers['idempotency-key'];
    if (typeof key !== 'string' || idempotency === undefined) {
      sendReply(response, await call(() => undefined));
      return;
    }
    const { reply, replayed } = await idempotency.once(
      { key, fingerprint: fingerprintOf(request, bytes) },
      async (remember) => {
        const answered = await call(remember);
        if (answered === STREAMED) throw new Error(`${name} takes an Idempotency-Key, so it must return its reply`);
        return answered;
      },
    );
    if (replayed) response.setHeader('Idempotency-Replayed', 'true');
    sendReply(response, reply);
  };
}

function refuseMethod(methods: readonly string[]): RequestHandler {
  return function methodNotAllowed(request, response) {
    response.setHeader('Allow', methods.join(', '));
    throw new ProblemError(
      'method-not-allowed',
      `${request.path} has no ${request.method}; it has ${methods.join(', ')}.`,
    );
  };
}

function refuseAccept(request: Request, operation: Operation): void {
  const media = operation.responses.flatMap((answer) => ('media' in answer ? answer.media : ['application/json']));
  if (media.length > 0 && !request.accepts(media)) {
    const accept = (request.headers.accept ?? '').slice(0, 200);
    throw new ProblemError(
      'not-acceptable',
      `This answers ${[...new Set(media)].join(', ')}; the header Accept allows only ${accept}.`,
    );
  }
}

async function bodyBytes(request: Request, operation: Operation, limit: number): Promise<Buffer> {
  if (operation.body !== undefined) return await readBody(request, limit);
  const { 'content-length': length = '0', 'transfer-encoding': chunked } = request.headers;
  if (length !== '0' || chunked !== undefined) {
    throw invalidRequest('body', [{ path: '', message: 'is not read here; leave it out' }]);
  }
  return Buffer.alloc(0);
}

function openExchange(request: Request, response: Response, remember: Exchange['remember']): Exchange {
  const gone = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) gone.abort();
  });
  return {
    request,
    response,
    signal: gone.signal,
    accepts: (media) => request.accepts([...media]) || undefined,
    remember,
  };
}

function sendReply(response: Response, reply: Reply | typeof STREAMED): void {
  if (reply === STREAMED) return;
  response.status(reply.status);
  if (reply.body === undefined) response.end();
  else response.json(reply.body);
}

function checkReply(name: string, operation: Operation, reply: Reply): void {
  const specs = operation.responses.filter(({ status }) => status === reply.status);
  if (specs.length === 0) throw new Error(`${name} answered ${reply.status}, which its contract does not have`);
  const schema = specs.map((spec) => spec.body).find((body) => body !== undefined);
  const parsed = schema?.safeParse(reply.body);
  if (parsed?.error) throw new Error(`${name} answered what its contract does not allow: ${parsed.error.message}`);
}

function checkProblem(name: string, operation: Operation, error: unknown): void {
  if (!(error instanceof ProblemError)) return;
  const documented: readonly string[] = [...operation.problems, ...commonProblems];
  if (!documented.includes(error.type)) {
    throw new Error(`${name} answered the problem ${error.type}, which its contract does not have`, { cause: error });
  }
}
