import type { Request, Response } from 'express';
import type { Input, Operation, Output } from '../../contracts/operation.ts';

/** Returned by a handler that has written the response itself: bytes, or a stream. */
export const STREAMED = Symbol('streamed');

/** What was answered to a request with an Idempotency-Key. */
export interface Reply {
  status: number;
  body?: unknown;
}

/** The HTTP side of one call. Most handlers need nothing of it. */
export interface Exchange {
  readonly request: Request;
  readonly response: Response;
  /** Aborted when the client is gone before the answer was complete. */
  readonly signal: AbortSignal;
  /** Which of these media types the client likes best; undefined when it accepts none. */
  accepts(media: readonly string[]): string | undefined;
  /**
   * Keeps the reply under the request's Idempotency-Key; does nothing for a request without one. To be called inside the database
   * transaction that does the deed, so that a crash cannot come between the two. Replies with a 2xx status that no handler has kept
   * are kept after the handler has returned.
   */
  remember(reply: Reply): void;
}

export type Handler<O extends Operation> = (
  input: Input<O>,
  exchange: Exchange,
) => Promise<Output<O> | typeof STREAMED>;

/** One handler for every operation of a table: a missing one does not compile. */
export type Handlers<Ops extends Record<string, Operation>> = { [K in keyof Ops]: Handler<Ops[K]> };
