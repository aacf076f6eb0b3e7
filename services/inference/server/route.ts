/** One request as handlers see it. */
export interface ApiRequest {
  /** Parsed JSON; undefined for methods without a body. */
  readonly body: unknown;
  /** The client's X-Request-Id, if it sent a usable one. */
  readonly requestId: string | undefined;
  /** Aborted when the client goes away before it has its answer. */
  readonly signal: AbortSignal;
}

/** How a handler answers. `stream` sends each call of `send` as one server-sent event, then `[DONE]`. */
export type Reply =
  | { readonly kind: 'json'; readonly body: unknown }
  | { readonly kind: 'text'; readonly body: string; readonly contentType?: string }
  | { readonly kind: 'stream'; readonly run: (send: (event: unknown) => void) => Promise<void> };

export interface Route {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** Nothing is read from the request: it needs no body, and any is ignored. */
  readonly takesNoBody?: true;
  /** @throws ApiError, and what the engine throws. */
  handle(request: ApiRequest): Reply | Promise<Reply>;
}

export function json(body: unknown): Reply {
  return { kind: 'json', body };
}

export function text(body: string): Reply {
  return { kind: 'text', body };
}
